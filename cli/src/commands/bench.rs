//! `bench boot`, `disk`, `memory`, `images`, `emulated`, `builds`, `all`.

mod builds;
mod child;
mod kcluster;
mod kind;
mod memory;
mod rows;

use std::collections::BTreeSet;

use anyhow::Context as _;
use camino::Utf8PathBuf;
use clap::Subcommand;
use jiff::Timestamp;
use kcluster_cluster::engine::{Engine, EngineInfo};
use kcluster_matrix::{Arch, Sink, exit};
use kcluster_reports::bench::{self, Bench, FORMAT, Machine, Topic};

use crate::config::{ImageFlags, Layer, SourceFlags, Timeout};
use crate::context::Context;
use crate::error::Told;
use crate::output::Table;
use crate::{engine, image, interrupt};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Seconds until all is Ready: cold, from a snapshot, resumed; until a worker has joined
    Boot(Options),
    /// What each node takes on disk beside its image
    Disk(Options),
    /// What a cluster takes of the machine's memory, and which programs take it
    Memory(Options),
    /// What the node image takes unpacked, layer by layer
    Images(Options),
    /// Seconds until a cluster of each other architecture is all Ready: cold, and from a snapshot
    Emulated(Options),
    /// Processor time that the node image of each architecture takes, with empty caches
    Builds(Options),
    /// All of these but builds, from the same clusters where they can be
    All(Options),
}

#[derive(Debug, clap::Args)]
struct Options {
    /// How often each figure is taken [default: 5, of builds 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    runs: Option<u8>,
    /// How long a cluster idles before its disk and memory are measured
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    settle: Timeout,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write the figures as JSON, for a later --compare
    #[arg(long, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
    /// Write the tables as a page
    #[arg(long, value_name = "FILE")]
    markdown: Option<Utf8PathBuf>,
    /// Tell what changed since the run that wrote this file
    #[arg(long, value_name = "FILE")]
    compare: Option<Utf8PathBuf>,
    /// Leave kind out even if it is there
    #[arg(long)]
    no_kind: bool,
    /// Architectures that `emulated` and `builds` measure; the machine's own is what they are held against
    #[arg(long, value_name = "ARCH,…", value_delimiter = ',', default_values_t = Arch::ALL)]
    others: Vec<Arch>,
    #[command(flatten)]
    image: ImageFlags,
    #[command(flatten)]
    source: SourceFlags,
}

/// What is measured, and how.
struct Plan {
    topics: BTreeSet<Topic>,
    others: Vec<Arch>,
    runs: u8,
    settle: std::time::Duration,
}

impl Plan {
    fn has(&self, topic: Topic) -> bool {
        self.topics.contains(&topic)
    }

    /// The architectures that are measured beside the machine's own.
    fn beside(&self, own: Option<Arch>) -> impl Iterator<Item = Arch> {
        let others = self.others.iter().copied();
        others.filter(move |arch| Some(*arch) != own)
    }

    /// Whether clusters have to idle.
    fn settles(&self) -> bool {
        self.has(Topic::Disk) || self.has(Topic::Memory)
    }

    fn boots(&self) -> bool {
        self.settles() || self.has(Topic::Boot)
    }
}

impl Sub {
    fn parts(&self) -> (&Options, BTreeSet<Topic>) {
        match self {
            Self::Boot(options) => (options, [Topic::Boot].into()),
            Self::Disk(options) => (options, [Topic::Disk].into()),
            Self::Memory(options) => (options, [Topic::Memory].into()),
            Self::Images(options) => (options, [Topic::Images].into()),
            Self::Emulated(options) => (options, [Topic::Emulated].into()),
            Self::Builds(options) => (options, [Topic::Builds].into()),
            Self::All(options) => {
                let mut topics = BTreeSet::from(Topic::ALL);
                // Four node images, each from nothing: that is asked for by its name.
                topics.remove(&Topic::Builds);
                (options, topics)
            }
        }
    }
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        let (options, _) = self.command.parts();
        Layer::of([&options.image.0, &options.source.0])
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        let (options, topics) = self.command.parts();
        let plan = Plan {
            runs: options.runs.unwrap_or(match self.command {
                Sub::Builds(_) => 1,
                _ => 5,
            }),
            topics,
            others: options.others.clone(),
            settle: options.settle.0,
        };
        // A run takes minutes: what it is to be compared with has to be readable before.
        let old = options.compare.as_ref().map(|path| read(&context, path));
        let old = old.transpose()?;
        for path in options.output.iter().chain(&options.markdown) {
            let path = context.host.folder.join(path);
            fs_err::create_dir_all(path.parent().unwrap_or(&path))?;
        }
        image::version(&context.settings)?;
        context.follow()?;
        let mut begun = None;
        let result = measure(&context, &plan, !options.no_kind, &mut begun).await;
        context.hub.finish();
        let told = interrupt::or_interrupted(result, &context.cancel);
        let Some(bench) = begun else {
            return told.map(|()| exit::PASSED);
        };
        if let Err(error) = told {
            if !bench.rows.is_empty() {
                context
                    .printer
                    .tell("what was measured until then, and is written nowhere:\n");
                context.printer.tell(&tables(&bench));
            }
            return Err(error);
        }
        let json = format!("{}\n", serde_json::to_string_pretty(&bench)?);
        // What took minutes to measure is shown before anything else can go wrong.
        if options.json {
            context.printer.data(&json);
        } else {
            context.printer.data(&tables(&bench));
        }
        if let Some(path) = &options.output {
            fs_err::write(context.host.folder.join(path), &json)?;
        }
        if let Some(path) = &options.markdown {
            let page = bench::markdown(&bench, "cargo kcluster bench");
            fs_err::write(context.host.folder.join(path), page)?;
        }
        if let Some(old) = old {
            context.printer.tell(&bench::compare(&old, &bench));
        }
        Ok(exit::PASSED)
    }
}

fn read(context: &Context, path: &Utf8PathBuf) -> anyhow::Result<Bench> {
    let text = fs_err::read_to_string(context.host.folder.join(path))
        .map_err(|error| Told::input(error.to_string()))?;
    let bench: Result<Bench, _> = serde_json::from_str(&text);
    match bench {
        Ok(bench) if bench.format == FORMAT => Ok(bench),
        Ok(bench) => Err(Told::input(format!(
            "{path} is of version {}, not {FORMAT}",
            bench.format
        ))
        .help("take it anew with --output")
        .into()),
        Err(error) => {
            Err(Told::input(format!("{path} was not written by bench --output: {error}")).into())
        }
    }
}

fn tables(bench: &Bench) -> String {
    let mut parts = Vec::new();
    for (topic, lines) in bench::tables(bench) {
        let mut headings = bench::HEADINGS;
        let title = topic.title().to_lowercase();
        headings[0] = &title;
        let columns = 1..headings.len();
        let mut table = columns.fold(Table::new(headings), Table::numbers);
        for line in lines {
            table.row(line);
        }
        parts.push(table.to_string());
    }
    let remarks = bench::remarks(bench);
    if !remarks.is_empty() {
        parts.push(remarks.join("\n"));
    }
    parts.join("\n")
}

/// Takes all figures; those that it took before it failed are in `begun`.
async fn measure(
    context: &Context,
    plan: &Plan,
    with_kind: bool,
    begun: &mut Option<Bench>,
) -> anyhow::Result<()> {
    let settings = &context.settings;
    let (engine, info) = engine::probe(settings, &context.hub).await?;
    let engine = engine.as_ref();
    let request = image::request(settings, settings.platform_on(info.arch)?)?;
    let bench = begun.insert(Bench {
        format: FORMAT,
        at: Timestamp::now(),
        kubernetes: request.version.to_string(),
        machine: machine(&info),
        rows: Vec::new(),
    });
    if bench.machine.is_busy() {
        context
            .hub
            .warn(&"the machine is busy: times will be those of a busy machine");
    }
    if plan.has(Topic::Builds) {
        builds::measure(context, plan, bench).await?;
    }
    let clusters = plan.boots() || plan.has(Topic::Emulated);
    if clusters || plan.has(Topic::Images) {
        let reference = image::ensure(context, engine, &request).await?;
        if plan.has(Topic::Images) {
            images(engine, &reference, bench).await?;
        }
    }
    if clusters {
        kcluster::measure(context, engine, &info, plan, bench).await?;
    }
    let kind = if with_kind {
        kind::find(context, engine).await?
    } else {
        Err("kind was left out by --no-kind".to_owned())
    };
    match kind {
        Ok(kind) => {
            kind.measure(context, engine, &info, plan, bench).await?;
        }
        Err(reason) => rows::skip_kind(plan, bench, &reason),
    }
    Ok(())
}

fn machine(info: &EngineInfo) -> Machine {
    // The load of another machine is not known.
    let load = fs_err::read_to_string("/proc/loadavg")
        .ok()
        .filter(|_| info.local)
        .and_then(|text| text.split_whitespace().next()?.parse().ok());
    Machine {
        cpus: info.cpus,
        memory: info.memory,
        engine: format!("Docker {}", info.version),
        storage: info.storage.clone(),
        cgroups: info.cgroup_version,
        load,
    }
}

/// The node image, whole and by layer.
async fn images(engine: &dyn Engine, reference: &str, bench: &mut Bench) -> anyhow::Result<()> {
    let layers = engine.image_layers(reference).await?;
    let without_tests: u64 = layers
        .iter()
        .filter(|layer| layer.what != kcluster_images::TESTS_LAYER)
        .map(|layer| layer.size)
        .sum();
    if without_tests == 0 {
        anyhow::bail!("the engine tells nothing about the layers of {reference}");
    }
    bench.take(rows::image(), without_tests as f64);
    for layer in layers {
        let row = if layer.what == kcluster_images::TESTS_LAYER {
            rows::image_of_tests()
        } else {
            rows::layer(&layer.what)
        };
        bench.take(row, layer.size as f64);
    }
    Ok(())
}

/// Reads how much memory the machine could give, once that has stopped moving.
async fn available() -> anyhow::Result<f64> {
    const CLOSE: f64 = 2_097_152.0;
    let mut last = memory::available(&fs_err::read_to_string("/proc/meminfo")?)
        .context("/proc/meminfo has no MemAvailable")?;
    for _ in 0..20 {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let now = memory::available(&fs_err::read_to_string("/proc/meminfo")?).unwrap_or(last);
        let moved = (now - last).abs();
        last = now;
        if moved < CLOSE {
            break;
        }
    }
    Ok(last)
}
