//! `doctor [--fix] [--json]`.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use kcluster_matrix::exit;

use crate::config::Layer;
use crate::context::Context;
use crate::doctor::{Action, Facts, Level, Result, plan, run, stale};
use crate::error::Told;
use crate::{engine, interrupt, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Install and start what is missing, on Debian and Ubuntu, after saying what will be done
    #[arg(long)]
    fix: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    #[expect(clippy::unused_self, reason = "commands share one signature")]
    pub(crate) fn layer(&self) -> Layer {
        Layer::default()
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        context.follow()?;
        let mut facts = gather(&context).await?;
        let mut results = run(&facts);
        if self.fix && apply(&context, &facts, &results).await? {
            facts = gather(&context).await?;
            results = run(&facts);
        }
        context.hub.finish();
        if self.json {
            context
                .printer
                .data(&serde_json::to_string_pretty(&results)?);
        } else {
            context
                .printer
                .data(&table(&results, context.printer.paint()));
        }
        let blocking = results
            .iter()
            .filter(|result| result.level == Level::Blocking)
            .count();
        if blocking == 0 {
            return Ok(exit::PASSED);
        }
        let told = Told::cluster(format!(
            "{blocking} of {} checks must be seen to first",
            results.len()
        ));
        Err(
            match results.iter().any(|result| result.fixable) && !self.fix {
                true => told.help("`cargo kcluster doctor --fix` applies what it can"),
                false => told,
            }
            .into(),
        )
    }
}

async fn gather(context: &Context) -> anyhow::Result<Facts> {
    let settings = &context.settings;
    let endpoint = engine::endpoint(settings)?;
    let engine = engine::facts(&endpoint).await;
    let folders = [
        ("cache", settings.cache_dir.as_path()),
        ("state", settings.state_dir.as_path()),
    ];
    Ok(Facts::gather(&context.host, engine, &endpoint, folders))
}

fn table(results: &[Result], paint: output::Paint) -> String {
    let width = results
        .iter()
        .map(|result| result.check.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for Result {
        check,
        level,
        found,
        remedy,
        fixable,
        ..
    } in results
    {
        let sign = match level {
            Level::Fine => paint.good(level.sign()),
            Level::Warning => paint.warn(level.sign()),
            Level::Blocking => paint.bad(level.sign()),
        };
        text.push_str(&format!("{sign} {check:width$}  {found}\n"));
        if let Some(remedy) = remedy {
            let how = if *fixable { " (or --fix)" } else { "" };
            text.push_str(&format!("  {:width$}  → {remedy}{how}\n", ""));
        }
    }
    text
}

/// Says what will be done, does it; false where there was nothing to do.
async fn apply(context: &Context, facts: &Facts, results: &[Result]) -> anyhow::Result<bool> {
    let fixes: Vec<_> = results.iter().filter_map(|result| result.fix).collect();
    let actions = plan(&fixes, facts, &context.settings.state_dir);
    if actions.is_empty() {
        return Ok(false);
    }
    context.printer.tell("will run:");
    for action in &actions {
        context.printer.tell(&format!("  {action}"));
    }
    for action in actions {
        context
            .printer
            .tell(&format!("{} {action}", context.printer.paint().strong("+")));
        match &action.detached {
            Some(log) => start(context, &action, log).await?,
            None => {
                let shown = action.to_string();
                let work = tokio::task::spawn_blocking(move || execute(&action));
                work.await?
                    .with_context(|| format!("failed to run `{shown}`"))?;
            }
        }
    }
    Ok(true)
}

/// Its output is progress, so it goes to standard error.
fn execute(action: &Action) -> anyhow::Result<()> {
    let (program, arguments) = action.argv.split_first().context("no program")?;
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(Told::cluster(format!("it ended with {status}")).into())
    }
}

/// How long an engine may take to answer after its start.
const START: Duration = Duration::from_secs(60);

/// Starts the engine in the background and returns when it answers.
async fn start(context: &Context, action: &Action, log: &str) -> anyhow::Result<()> {
    let (program, arguments) = action.argv.split_first().context("no program")?;
    let folder = camino::Utf8Path::new(log)
        .parent()
        .context("no folder for the log")?;
    fs_err::create_dir_all(folder)?;
    stale::clear(folder.join("dockerd.pid").as_std_path(), "dockerd")?;
    stale::clear(stale::CONTAINERD.as_ref(), "containerd")?;
    let file = fs_err::File::create(log)?.into_parts().0;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("failed to run `{action}`"))?;
    let endpoint = engine::endpoint(&context.settings)?;
    let answers = async {
        // The engine announces its readiness nowhere that an unprivileged client could watch.
        let mut often = tokio::time::interval(Duration::from_millis(200));
        loop {
            often.tick().await;
            if engine::facts(&endpoint).await.is_ok() {
                return Ok(());
            }
            if let Some(status) = child.try_wait()? {
                return Err(failed(log, &format!("it ended with {status}")));
            }
        }
    };
    let result = tokio::select! {
        result = tokio::time::timeout(START, answers) => {
            result.unwrap_or_else(|_| Err(failed(log, "it does not answer after 60 s")))
        }
        () = context.cancel.cancelled() => Err(Told::interrupted().into()),
    };
    interrupt::or_interrupted(result, &context.cancel)
}

fn failed(log: &str, what: &str) -> anyhow::Error {
    let text = fs_err::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(8)..].join("\n  ");
    Told::cluster(format!(
        "the engine did not start: {what}; last lines of {log}:\n  {last}"
    ))
    .into()
}
