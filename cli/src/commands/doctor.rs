//! `doctor [--fix | --unfix] [--json]`.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use kcluster_cluster::emulation::{self as emulators, Emulators, status};
use kcluster_images::emulators_reference;
use kcluster_matrix::{Arch, exit};

use crate::config::Layer;
use crate::context::Context;
use crate::doctor::{Action, Emulation, Facts, Fix, Level, Result, plan, run, stale};
use crate::error::Told;
use crate::{emulation, engine, interrupt, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Install and start what is missing, on Debian and Ubuntu, after saying what will be done
    #[arg(long)]
    fix: bool,
    /// Remove the emulators that kcluster registered on the engine's host, and nothing else
    #[arg(long, conflicts_with = "fix")]
    unfix: bool,
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
        if self.unfix {
            let result = unfix(&context).await;
            context.hub.finish();
            interrupt::or_interrupted(result, &context.cancel)?;
            return Ok(exit::PASSED);
        }
        let mut facts = gather(&context).await?;
        let mut results = run(&facts);
        if self.fix && apply(&context, &facts, &results).await? {
            facts = gather(&context).await?;
            results = run(&facts);
        }
        if self.fix
            && results
                .iter()
                .any(|result| result.fix == Some(Fix::Emulators))
        {
            let registered = register(&context).await;
            facts.emulation =
                Emulation::Found(interrupt::or_interrupted(registered, &context.cancel)?);
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
    let emulation = match &engine {
        Ok(_) => look(context)
            .await
            .unwrap_or_else(|error| Emulation::Refused(format!("{error:#}"))),
        Err(_) => Emulation::Unknown,
    };
    Ok(Facts::gather(
        &context.host,
        engine,
        &endpoint,
        folders,
        emulation,
    ))
}

/// What runs foreign programs on the engine's host, where the image that can tell is there.
async fn look(context: &Context) -> anyhow::Result<Emulation> {
    let engine = engine::open(&context.settings).await?;
    let Some(host) = engine.info().await?.arch else {
        return Ok(Emulation::Unknown);
    };
    let image = emulators_reference(host);
    if engine.image(&image).await?.is_none() {
        return Ok(Emulation::Unprepared(host));
    }
    let found = status(engine.as_ref(), &image, &Arch::ALL).await?;
    Ok(Emulation::Found(found))
}

/// Registers emulators where there are none to rely on, after saying so.
async fn register(context: &Context) -> anyhow::Result<Emulators> {
    let engine = engine::open(&context.settings).await?;
    let info = engine.info().await?;
    let host = emulation::host(&info)?;
    emulation::keep(context, &info).await;
    context.printer.tell(
        "will run a container on the engine that registers QEMU in binfmt_misc under names that begin with kcluster-",
    );
    let image = emulation::ensure_image(context, engine.as_ref(), host).await?;
    let found = emulators::register(engine.as_ref(), &image, &Arch::ALL).await?;
    emulation::tell(context, &found);
    Ok(found)
}

/// Removes what [`register`] made.
async fn unfix(context: &Context) -> anyhow::Result<()> {
    let engine = engine::open(&context.settings).await?;
    let host = emulation::host(&engine.info().await?)?;
    let image = emulation::ensure_image(context, engine.as_ref(), host).await?;
    let found = emulators::unregister(engine.as_ref(), &image).await?;
    context.printer.tell(&match found.removed.as_slice() {
        [] => "nothing that kcluster registered is there".to_owned(),
        names => format!(
            "removed {}; cells of these architectures stop working until they are registered again",
            names.join(", ")
        ),
    });
    Ok(())
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
