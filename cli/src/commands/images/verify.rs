//! `images verify REF`: whether each platform of an image is what it says, and runs.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::ValueEnum;
use jiff::Timestamp;
use kcluster_cluster::engine::{Engine, Privilege, ToolSpec};
use kcluster_cluster::tool_labels;
use kcluster_images::verify::{ImageSource, PlatformVerdict, export, verify};
use kcluster_matrix::{Arch, Case, Outcome, Platform, Sink, Suite, exit};
use serde::Serialize;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use crate::config::{Layer, ReportFlag, Timeout};
use crate::context::Context;
use crate::error::Told;
use crate::output::Table;
use crate::{emulation, engine, image, interrupt, report};

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// An archive (OCI layout or `docker save`), an image of the engine, or a reference in a registry
    #[arg(value_name = "REF")]
    reference: String,
    /// Where to look; auto takes a file, else an image of the engine, else the registry
    #[arg(long, value_enum, default_value_t = Place::Auto)]
    from: Place,
    /// Run each platform too, emulated where it is foreign: what it starts with, or CMD
    #[arg(long, value_name = "CMD", num_args = 0..=1, default_missing_value = "")]
    run: Option<String>,
    /// Text that must be in what it prints
    #[arg(long, value_name = "TEXT", requires = "run")]
    expect: Option<String>,
    /// How long each run may take
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    run_timeout: Timeout,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    report: ReportFlag,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
    Auto,
    Archive,
    Engine,
    Registry,
}

/// One platform with all that is known of it.
#[derive(Debug, Serialize)]
struct Judged {
    platform: String,
    digest: String,
    /// In no way wrong.
    passed: bool,
    wrong: Vec<String>,
    odd: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Ran>,
    #[serde(skip)]
    took: Duration,
}

#[derive(Debug, Serialize)]
#[serde(tag = "is", rename_all = "lowercase")]
enum Ran {
    Passed {
        output: String,
        emulated: bool,
        seconds: f64,
    },
    Failed {
        why: String,
        output: String,
        emulated: bool,
        seconds: f64,
    },
    Skipped {
        reason: String,
    },
}

impl Verify {
    pub(super) fn layer(&self) -> Layer {
        Layer::of([&self.report.0])
    }

    pub(super) async fn run(self, context: &Context) -> anyhow::Result<u8> {
        let words = self.words()?;
        context.follow()?;
        let started = Timestamp::now();
        let result = self.judge(context, words.as_deref()).await;
        context.hub.finish();
        let judged = interrupt::or_interrupted(result, &context.cancel)?;
        if let Some(folder) = context.settings.report_dir.given() {
            let folder = context.host.folder.join(folder);
            report::write(&folder, &[suite(&self.reference, started, &judged)])?;
        }
        let text = if self.json {
            serde_json::to_string_pretty(&judged)?
        } else {
            table(&judged)
        };
        context.printer.data(&text);
        Ok(if judged.iter().all(|one| one.passed) {
            exit::PASSED
        } else {
            exit::TESTS_FAILED
        })
    }

    /// The words of `--run`; none for what the image starts with.
    fn words(&self) -> Result<Option<Vec<String>>, Told> {
        let Some(command) = &self.run else {
            return Ok(None);
        };
        shlex::split(command)
            .map(Some)
            .ok_or_else(|| Told::input(format!("--run `{command}` has a quote that does not end")))
    }

    async fn judge(
        &self,
        context: &Context,
        words: Option<&[String]>,
    ) -> anyhow::Result<Vec<Judged>> {
        let (source, _saved) = self.source(context).await?;
        let begun = Instant::now();
        let verdicts =
            image::until_cancelled(&context.cancel, async { Ok(verify(&source).await?) }).await?;
        let took = begun.elapsed() / u32::try_from(verdicts.len()).unwrap_or(1);
        let mut judged: Vec<Judged> = verdicts.iter().map(|one| told(one, took)).collect();
        if let Some(words) = words {
            for (verdict, judged) in verdicts.iter().zip(&mut judged) {
                let ran = if verdict.passed() {
                    self.start(context, &source, verdict, words).await?
                } else {
                    let reason = "it is not what it says".to_owned();
                    Ran::Skipped { reason }
                };
                judged.passed &= !matches!(ran, Ran::Failed { .. });
                judged.run = Some(ran);
            }
        }
        Ok(judged)
    }

    /// Where the image is; a file that was made to look into it stays as long as the second value.
    async fn source(
        &self,
        context: &Context,
    ) -> anyhow::Result<(ImageSource, Option<NamedTempFile>)> {
        let path = context.host.folder.join(&self.reference);
        let archive = || ImageSource::Archive(path.clone().into_std_path_buf());
        match self.from {
            Place::Archive => return Ok((archive(), None)),
            Place::Registry => return Ok((ImageSource::Registry(self.reference.clone()), None)),
            Place::Auto if path.is_file() => return Ok((archive(), None)),
            Place::Auto | Place::Engine => {}
        }
        let engine = match engine::open(&context.settings).await {
            Ok(engine) => engine,
            // A registry needs no engine.
            Err(error) if self.from == Place::Auto => {
                context
                    .hub
                    .note(&format_args!("not in an engine: {error:#}"));
                return Ok((ImageSource::Registry(self.reference.clone()), None));
            }
            Err(error) => return Err(error),
        };
        if engine.image(&self.reference).await?.is_none() {
            if self.from == Place::Auto {
                return Ok((ImageSource::Registry(self.reference.clone()), None));
            }
            return Err(
                Told::input(format!("the engine has no image `{}`", self.reference)).into(),
            );
        }
        let file = NamedTempFile::with_prefix("kcluster-verify-")?;
        let mut saved = engine
            .save_images(std::slice::from_ref(&self.reference))
            .await?;
        let mut out = tokio::fs::File::from_std(file.reopen()?);
        image::until_cancelled(&context.cancel, async {
            tokio::io::copy(&mut saved, &mut out).await?;
            out.flush().await?;
            Ok(())
        })
        .await
        .with_context(|| format!("failed to save `{}` from the engine", self.reference))?;
        Ok((ImageSource::Archive(file.path().to_owned()), Some(file)))
    }

    /// Runs one platform in a container of the engine, emulated where it is foreign.
    async fn start(
        &self,
        context: &Context,
        source: &ImageSource,
        verdict: &PlatformVerdict,
        words: &[String],
    ) -> anyhow::Result<Ran> {
        let (engine, info) = engine::probe(&context.settings, &context.hub).await?;
        let host = emulation::host(&info)?;
        let Ok(arch) = verdict.platform.architecture.parse::<Arch>() else {
            let reason = format!("no emulator of {} is at hand", verdict.platform);
            return Ok(Ran::Skipped { reason });
        };
        let platform =
            Platform::new(arch, host, None).map_err(|error| Told::input(error.to_string()))?;
        emulation::ready(context, engine.as_ref(), platform).await?;

        let digest = verdict.digest.trim_start_matches("sha256:");
        let short = digest.get(..12).unwrap_or(digest);
        let reference = format!("kcluster/verify:{arch}-{short}");
        let file = NamedTempFile::with_prefix("kcluster-verify-")?;
        image::until_cancelled(&context.cancel, async {
            export(source, &verdict.digest, &reference, file.path()).await?;
            let read = tokio::fs::File::open(file.path()).await?;
            Ok(engine.load_image(Box::new(read)).await?)
        })
        .await?;
        let spec = ToolSpec {
            image: reference.clone(),
            argv: words.to_vec(),
            // What any container may, and no more.
            privilege: Privilege::Capabilities(Vec::new()),
            labels: tool_labels(),
            limit: self.run_timeout.0,
        };
        let begun = Instant::now();
        let ended =
            image::until_cancelled(&context.cancel, async { Ok(engine.run_tool(&spec).await) })
                .await;
        let seconds = begun.elapsed().as_secs_f64();
        remove(engine.as_ref(), &reference, context).await;
        let emulated = platform.is_foreign();
        Ok(match ended? {
            Err(error) => Ran::Failed {
                why: error.to_string(),
                output: String::new(),
                emulated,
                seconds,
            },
            Ok(output) => {
                let text = format!("{}{}", output.stdout, output.stderr);
                match fault(output.code, &text, self.expect.as_deref()) {
                    None => Ran::Passed {
                        output: text,
                        emulated,
                        seconds,
                    },
                    Some(why) => Ran::Failed {
                        why,
                        output: text,
                        emulated,
                        seconds,
                    },
                }
            }
        })
    }
}

async fn remove(engine: &dyn Engine, reference: &str, context: &Context) {
    if let Err(error) = engine.remove_image(reference).await {
        context
            .hub
            .warn(&format_args!("{reference} stays in the engine: {error}"));
    }
}

/// What is wrong with how a run ended.
fn fault(code: i64, text: &str, expect: Option<&str>) -> Option<String> {
    let signal = match code - 128 {
        4 => " (illegal instruction)",
        6 => " (aborted)",
        7 => " (bus error)",
        8 => " (arithmetic error)",
        9 => " (killed)",
        11 => " (segmentation fault)",
        _ => "",
    };
    if code != 0 {
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        let last = last.map_or_else(String::new, |line| format!(": {}", line.trim()));
        return Some(format!("it ended with code {code}{signal}{last}"));
    }
    match expect {
        Some(wanted) if !text.contains(wanted) => Some(format!("it does not print `{wanted}`")),
        _ => None,
    }
}

fn told(verdict: &PlatformVerdict, took: Duration) -> Judged {
    let of = |wrong: bool| -> Vec<String> {
        verdict
            .findings
            .iter()
            .filter(|finding| finding.wrong == wrong)
            .map(|finding| finding.problem.to_string())
            .collect()
    };
    Judged {
        platform: verdict.platform.to_string(),
        digest: verdict.digest.clone(),
        passed: verdict.passed(),
        wrong: of(true),
        odd: of(false),
        run: None,
        took,
    }
}

fn table(judged: &[Judged]) -> String {
    let mut table = Table::new(["platform", "verdict", "run", "what"]);
    for one in judged {
        let (run, fault) = match &one.run {
            None => ("-", None),
            Some(Ran::Passed { emulated: true, .. }) => ("ran, emulated", None),
            Some(Ran::Passed { .. }) => ("ran", None),
            Some(Ran::Failed { why, .. }) => ("failed", Some(why.clone())),
            Some(Ran::Skipped { reason }) => ("skipped", Some(reason.clone())),
        };
        let mut what: Vec<String> = one.wrong.clone();
        what.extend(fault);
        what.extend(one.odd.iter().map(|odd| format!("(odd) {odd}")));
        let mut lines = what.into_iter();
        let verdict = if one.passed { "good" } else { "WRONG" };
        let first = lines.next().unwrap_or_default();
        table.row([one.platform.as_str(), verdict, run, first.as_str()]);
        for line in lines {
            table.row(["", "", "", line.as_str()]);
        }
    }
    table.to_string()
}

/// Each platform is a case for what it is, and one for its run.
fn suite(reference: &str, started: Timestamp, judged: &[Judged]) -> Suite {
    let mut cases = Vec::new();
    for one in judged {
        let case = |name: &str, outcome: Outcome, took: Duration, output: &str| Case {
            name: format!("{} {name}", one.platform),
            class: "images verify".to_owned(),
            took,
            outcome,
            attempts: 1,
            output: output.to_owned(),
        };
        let outcome = if one.wrong.is_empty() {
            Outcome::Passed
        } else {
            Outcome::Failed {
                message: one.wrong.join("\n"),
            }
        };
        cases.push(case(
            "is what it says",
            outcome,
            one.took,
            &one.odd.join("\n"),
        ));
        let (outcome, seconds, output) = match &one.run {
            None => continue,
            Some(Ran::Passed {
                output, seconds, ..
            }) => (Outcome::Passed, *seconds, output.as_str()),
            Some(Ran::Failed {
                why,
                output,
                seconds,
                ..
            }) => (
                Outcome::Failed {
                    message: why.clone(),
                },
                *seconds,
                output.as_str(),
            ),
            Some(Ran::Skipped { reason }) => (
                Outcome::Skipped {
                    reason: reason.clone(),
                },
                0.0,
                "",
            ),
        };
        cases.push(case(
            "runs",
            outcome,
            Duration::from_secs_f64(seconds),
            output,
        ));
    }
    Suite {
        name: reference.to_owned(),
        phase: "images-verify".to_owned(),
        host: report::host(),
        started,
        properties: Vec::new(),
        cases,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_run_ended_is_said_with_its_last_words() {
        assert_eq!(fault(0, "hello\n", None), None);
        assert_eq!(fault(0, "hello\n", Some("hello")), None);
        assert_eq!(
            fault(0, "hello\n", Some("bye")).unwrap(),
            "it does not print `bye`"
        );
        assert_eq!(
            fault(139, "a\nqemu: uncaught target signal 11\n\n", None).unwrap(),
            "it ended with code 139 (segmentation fault): qemu: uncaught target signal 11"
        );
        assert_eq!(fault(2, "", None).unwrap(), "it ended with code 2");
    }

    #[test]
    fn verdicts_become_cases_and_rows() {
        let judged = |wrong: &[&str], run: Option<Ran>| Judged {
            platform: "linux/s390x".into(),
            digest: "sha256:1".into(),
            passed: wrong.is_empty() && !matches!(run, Some(Ran::Failed { .. })),
            wrong: wrong.iter().map(|&text| text.to_owned()).collect(),
            odd: vec!["odd thing".into()],
            run,
            took: Duration::ZERO,
        };
        let failed = Ran::Failed {
            why: "it ended with code 2".into(),
            output: "panic".into(),
            emulated: true,
            seconds: 1.5,
        };
        let all = [
            judged(&["no loader", "no library"], None),
            judged(&[], Some(failed)),
        ];
        let suite = suite("x:1", Timestamp::UNIX_EPOCH, &all);
        let outcomes: Vec<bool> = suite
            .cases
            .iter()
            .map(|case| case.outcome.is_passed())
            .collect();
        assert_eq!(outcomes, [false, true, false]);
        let shown = table(&all);
        assert!(shown.contains("WRONG"), "{shown}");
        assert!(
            shown.lines().any(|line| line.trim() == "no library"),
            "{shown}"
        );
        assert!(shown.contains("failed  it ended with code 2"), "{shown}");
    }
}
