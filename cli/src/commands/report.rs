//! `report merge`, `html`, `summary`, `annotations`, `totals`, `compare`, `schema`, `bundle`.

use camino::Utf8PathBuf;
use clap::Subcommand;
use kcluster_matrix::outcome::Totals;
use kcluster_matrix::{Suite, exit};
use kcluster_reports::{annotations, bundle, compare, html, json, merge, property, summary};

use crate::config::{Layer, ProductFlags, ReportFlag};
use crate::context::Context;
use crate::error::Told;
use crate::report;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Make one report of several: shards, reruns, phases, cells
    Merge {
        /// Folders of reports
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<Utf8PathBuf>,
        #[command(flatten)]
        report: ReportFlag,
    },
    /// Write a page that shows what failed and why
    Html {
        /// Folder of a report [default: the last run's]
        #[arg(value_name = "DIR")]
        folder: Option<Utf8PathBuf>,
        /// The file to write, or `-` for standard output [default: report.html in the folder]
        #[arg(long, short, value_name = "FILE")]
        output: Option<Utf8PathBuf>,
    },
    /// Print a summary in Markdown, as for a job's page
    Summary {
        /// Folder of a report [default: the last run's]
        #[arg(value_name = "DIR")]
        folder: Option<Utf8PathBuf>,
    },
    /// Print workflow commands of GitHub Actions: an error for what failed, a warning for what was flaky
    Annotations {
        /// Folder of a report [default: the last run's]
        #[arg(value_name = "DIR")]
        folder: Option<Utf8PathBuf>,
    },
    /// Print the verdict and the counts, one NAME=VALUE a line, as outputs of a job want it
    Totals {
        /// Folder of a report [default: the last run's]
        #[arg(value_name = "DIR")]
        folder: Option<Utf8PathBuf>,
    },
    /// Tell what is new, fixed, still failing, flaky or slower; exit code 4 when something fails that did not
    Compare {
        /// Folder of the earlier report
        #[arg(value_name = "OLD")]
        old: Utf8PathBuf,
        /// Folder of the later report
        #[arg(value_name = "NEW")]
        new: Utf8PathBuf,
        /// Print JSON instead of Markdown
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of report.json
    Schema,
    /// Write what the conformance programme wants; refuses what it would refuse
    Bundle {
        /// Folder of a report [default: the last run's]
        #[arg(value_name = "DIR")]
        folder: Option<Utf8PathBuf>,
        /// The folder to write into [default: bundle in the report's folder]
        #[arg(long, short, value_name = "DIR")]
        output: Option<Utf8PathBuf>,
        #[command(flatten)]
        product: ProductFlags,
    },
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        match &self.command {
            Sub::Merge { report, .. } => Layer::of([&report.0]),
            Sub::Bundle { product, .. } => Layer::of([&product.0]),
            Sub::Html { .. }
            | Sub::Summary { .. }
            | Sub::Annotations { .. }
            | Sub::Totals { .. }
            | Sub::Compare { .. }
            | Sub::Schema => Layer::default(),
        }
    }

    #[expect(clippy::unused_async, reason = "commands share one signature")]
    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        match self.command {
            Sub::Merge { folders, .. } => merged(&context, &folders),
            Sub::Html { folder, output } => page(&context, folder.as_ref(), output),
            Sub::Summary { folder } => {
                let folder = report::folder(&context, folder.as_ref())?;
                let text = summary::render(&report::read(&folder)?.suites);
                context.printer.data(&text);
                Ok(exit::PASSED)
            }
            Sub::Annotations { folder } => {
                let folder = report::folder(&context, folder.as_ref())?;
                let text = annotations::render(&report::read(&folder)?.suites);
                context.printer.data(&text);
                Ok(exit::PASSED)
            }
            Sub::Totals { folder } => {
                let folder = report::folder(&context, folder.as_ref())?;
                context
                    .printer
                    .data(&counts(&report::read(&folder)?.totals));
                Ok(exit::PASSED)
            }
            Sub::Compare { old, new, json } => compared(&context, &old, &new, json),
            Sub::Schema => {
                context.printer.data(json::JSON_SCHEMA);
                Ok(exit::PASSED)
            }
            Sub::Bundle { folder, output, .. } => bundled(&context, folder.as_ref(), output),
        }
    }
}

/// One report of many; the exit code is the verdict on all.
fn merged(context: &Context, folders: &[Utf8PathBuf]) -> anyhow::Result<u8> {
    let Some(out) = context.settings.report_dir.given() else {
        let told = Told::input("a merged report needs a folder of its own");
        return Err(told.help("give one with --report-dir").into());
    };
    let out = context.host.folder.join(out);
    let mut reports = Vec::new();
    let mut logs = String::new();
    for folder in folders {
        let folder = report::folder(context, Some(folder))?;
        if folder == out {
            let told = Told::input(format!("{out} is one of the reports to merge"));
            return Err(told.help("give another folder with --report-dir").into());
        }
        reports.push(report::read(&folder)?.suites);
        logs.push_str(&report::logs(&folder)?);
    }
    let suites = merge::merge(reports).map_err(|error| Told::input(error.to_string()))?;
    report::clear(&out)?;
    report::write(&out, &suites)?;
    fs_err::write(out.join("e2e.log"), logs)?;
    let totals = Totals::of(suites.iter().flat_map(|suite| &suite.cases));
    let mut code = totals.exit_code();
    for suite in &suites {
        if let Some(missing) = suite.property(property::SHARD) {
            let warning = format!("{} {}: shards are {missing}", suite.name, suite.phase);
            context.printer.warn(&warning);
            // What is not there has not passed.
            code = exit::CLUSTER_FAILED;
        }
    }
    context.printer.data(out.as_str());
    Ok(code)
}

fn counts(totals: &Totals) -> String {
    let verdict = match (totals.errored, totals.failed, totals.cases()) {
        // What was not run has not passed.
        (0, 0, 1..) => "passed",
        (0, 1.., _) => "failed",
        _ => "errored",
    };
    let Totals {
        passed,
        failed,
        errored,
        skipped,
        flaky,
    } = totals;
    format!(
        "verdict={verdict}\npassed={passed}\nfailed={failed}\nerrored={errored}\nskipped={skipped}\nflaky={flaky}"
    )
}

/// What changed; worse is a failure that was none before.
fn compared(
    context: &Context,
    old: &Utf8PathBuf,
    new: &Utf8PathBuf,
    json: bool,
) -> anyhow::Result<u8> {
    let read = |folder: &Utf8PathBuf| -> anyhow::Result<Vec<Suite>> {
        Ok(report::read(&report::folder(context, Some(folder))?)?.suites)
    };
    let comparison = compare::compare(&read(old)?, &read(new)?);
    let text = if json {
        serde_json::to_string_pretty(&comparison)?
    } else {
        comparison.to_markdown()
    };
    context.printer.data(&text);
    Ok(if comparison.is_worse() {
        exit::TESTS_FAILED
    } else {
        exit::PASSED
    })
}

fn page(
    context: &Context,
    folder: Option<&Utf8PathBuf>,
    output: Option<Utf8PathBuf>,
) -> anyhow::Result<u8> {
    let folder = report::folder(context, folder)?;
    let text = html::render(&report::read(&folder)?.suites);
    let file = match output {
        Some(file) if file == "-" => {
            context.printer.data(&text);
            return Ok(exit::PASSED);
        }
        Some(file) => context.host.folder.join(file),
        None => folder.join("report.html"),
    };
    fs_err::write(&file, text)?;
    context.printer.data(file.as_str());
    Ok(exit::PASSED)
}

fn bundled(
    context: &Context,
    folder: Option<&Utf8PathBuf>,
    output: Option<Utf8PathBuf>,
) -> anyhow::Result<u8> {
    let folder = report::folder(context, folder)?;
    let suites = report::read(&folder)?.suites;
    let product = &context.settings.product.0;
    let files = bundle::bundle(&suites, product, &report::logs(&folder)?)
        .map_err(|error| Told::input(error.to_string()))?;
    let out = output.map_or_else(
        || folder.join("bundle"),
        |out| context.host.folder.join(out),
    );
    for file in files {
        let path = out.join(&file.path);
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::write(path, file.text)?;
    }
    context.printer.data(out.as_str());
    Ok(exit::PASSED)
}
