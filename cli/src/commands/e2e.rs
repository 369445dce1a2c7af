//! `e2e [SUBSTRING]`, and what `e2e-serial` shares with it.

use camino::{Utf8Path, Utf8PathBuf};
use kcluster_cluster::collect_logs;
use kcluster_e2e::capacity;
use kcluster_e2e::{RunRequest, RunResult, Selection, SpecList, Tools, Which};
use kcluster_matrix::{ClusterSpec, Sink, exit};
use kcluster_reports::table;

use crate::config::{Layer, NameFlag, ReportFlag, SourceFlags, TestFlags};
use crate::context::Context;
use crate::error::Told;
use crate::output::{Record, events_file};
use crate::target::Target;
use crate::{fold, image, report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only specs whose name contains this
    substring: Option<String>,
    #[command(flatten)]
    name: NameFlag,
    /// Only specs whose name matches this regular expression; may be repeated
    #[arg(long, value_name = "REGEX")]
    focus: Vec<String>,
    /// No specs whose name matches this regular expression; may be repeated
    #[arg(long, value_name = "REGEX")]
    skip: Vec<String>,
    /// Specs with these labels, instead of Conformance
    #[arg(long, value_name = "FILTER")]
    label_filter: Option<String>,
    /// Print the specs that would run, and run none
    #[arg(long)]
    dry_run: bool,
    /// Stop at the first failure
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    report: ReportFlag,
    /// Further arguments for e2e.test
    #[arg(last = true, value_name = "ARGS")]
    extra: Vec<String>,
    #[command(flatten)]
    tests: TestFlags,
    #[command(flatten)]
    source: SourceFlags,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([&self.name.0, &self.report.0, &self.tests.0, &self.source.0])
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        self.specs(context, Which::Parallel).await
    }

    /// Lists the specs that are meant, runs them, and reports.
    pub(super) async fn specs(self, context: Context, which: Which) -> anyhow::Result<u8> {
        context.follow()?;
        let target = Target::find(&context.settings).await?;
        target.control_plane()?;
        let spec = target.spec.clone().ok_or_else(|| unknown(&context))?;
        context.hub.enter(spec.cell.id());
        let tools = image::host_tools(&context, &spec.cell.kubernetes).await?;
        let paths = [&tools.ginkgo, &tools.e2e_test, &tools.kubectl]
            .map(|path| Utf8PathBuf::try_from(path.clone()));
        let [ginkgo, e2e_test, kubectl] = paths;
        let programs = Tools {
            ginkgo: ginkgo?,
            e2e_test: e2e_test?,
            kubectl: kubectl?,
        };
        let selection = Selection {
            which,
            substring: self.substring,
            focus: self.focus,
            skip: self.skip,
            label_filter: self.label_filter,
        };
        let list = kcluster_e2e::list::list(&programs, &selection).await?;
        if self.dry_run {
            context.hub.finish();
            context.printer.data(&list.to_text());
            return Ok(exit::PASSED);
        }
        let out = out(&context);
        context.record(Record::create(&events_file(&out)));
        let request = RunRequest {
            tools: programs,
            kubeconfig: context.settings.kubeconfig(),
            processes: processes(&context, &target, &list).await?,
            list,
            out: out.clone(),
            timeout: context.settings.timeout.0,
            attempts: u32::from(context.settings.retries) + 1,
            grace: kcluster_e2e::run::GRACE,
            fail_fast: self.fail_fast,
            extra_args: self.extra,
        };
        let result = kcluster_e2e::run::run(&request, &context.hub, &context.cancel).await?;
        let totals = result.totals();
        if totals.exit_code() != exit::PASSED && !context.cancel.is_cancelled() {
            dump(&context, &target, &request, &result).await;
        }
        context.hub.finish();
        let boot = Record::read(&events_file(&context.settings.cluster_dir()));
        let run = result.suite(
            spec.cell.id().as_str(),
            which.phase(),
            &report::host(),
            properties(&spec, &request),
        );
        let mut suites = vec![run];
        if !boot.is_empty() {
            suites.insert(0, fold::boot_suite(&boot, &report::host()));
        }
        report::write(&out, &suites)?;
        conclude(&context, &result, &out)
    }
}

fn unknown(context: &Context) -> Told {
    let name = &context.settings.name;
    Told::input(format!(
        "cluster `{name}` was not made with this state folder, so its version is not known"
    ))
    .help(format!(
        "give the --state-dir it was made with, or make it again: `cargo kcluster up --name {name}`"
    ))
}

/// The folder for reports, by its absolute path.
fn out(context: &Context) -> Utf8PathBuf {
    let settings = &context.settings;
    let own = || settings.cluster_dir().join("report");
    settings
        .report_dir
        .given()
        .map_or_else(own, |folder| context.host.folder.join(folder))
}

/// As many processes as were asked for, or as the engine's machine carries.
async fn processes(context: &Context, target: &Target, list: &SpecList) -> anyhow::Result<usize> {
    if let Some(given) = context.settings.processes.given() {
        return Ok(given.get());
    }
    let info = target.engine.info().await?;
    let (cores, memory) = if info.local {
        capacity::here()
    } else {
        (usize::try_from(info.cpus).unwrap_or(1), info.memory)
    };
    Ok(capacity::processes(cores, memory, list.len()))
}

/// What API and nodes say, where specs failed; that it cannot be had must not hide the failures.
async fn dump(context: &Context, target: &Target, request: &RunRequest, result: &RunResult) {
    let RunRequest {
        tools,
        kubeconfig,
        out,
        ..
    } = request;
    let folder = out.join("dump");
    let nodes = folder.join("nodes");
    let of_specs = kcluster_e2e::dump::dump(tools, kubeconfig, &result.cases, out, &context.cancel);
    let of_nodes = collect_logs(
        target.engine.as_ref(),
        &context.settings.name,
        nodes.as_std_path(),
    );
    let (of_specs, of_nodes) = futures_util::future::join(of_specs, of_nodes).await;
    let failures = [
        of_specs.err().map(|error| error.to_string()),
        of_nodes.err().map(|error| error.to_string()),
    ];
    for failure in failures.into_iter().flatten() {
        context.hub.warn(&format_args!(
            "not everything could be collected: {failure}"
        ));
    }
    context
        .hub
        .note(&format_args!("what explains the failures is in {folder}"));
}

/// What describes the run in reports.
fn properties(spec: &ClusterSpec, request: &RunRequest) -> Vec<(String, String)> {
    [
        ("kubernetes", spec.cell.kubernetes.to_string()),
        ("cni", spec.cell.cni.to_string()),
        ("arch", spec.cell.arch.to_string()),
        ("emulation", spec.cell.emulation.to_string()),
        ("kube-proxy-mode", spec.proxy_mode.to_string()),
        ("workers", spec.workers.to_string()),
        ("image", spec.image.clone()),
        ("processes", request.processes.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The last line, and the exit code that says the same.
fn conclude(context: &Context, result: &RunResult, out: &Utf8Path) -> anyhow::Result<u8> {
    let totals = result.totals();
    let paint = context.printer.paint();
    let text = format!(
        "{} of {} specs: {}; reports are in",
        totals.cases(),
        result.listed,
        table::totals(&totals, result.took)
    );
    if let Some(ginkgo) = result
        .tally
        .filter(|ginkgo| (ginkgo.passed, ginkgo.failed) != (totals.passed, totals.failed))
    {
        context.printer.warn(&format!(
            "ginkgo itself counts {} passed and {} failed; what it did not report counts as not judged",
            ginkgo.passed, ginkgo.failed
        ));
    }
    let unrun: Vec<&str> = result.cases.iter().filter_map(fold::never_ran).collect();
    if let Some(reason) = unrun.first() {
        context
            .printer
            .warn(&format!("{} specs have no verdict: {reason}", unrun.len()));
    }
    let sign = if totals.exit_code() == exit::PASSED {
        paint.good("passed:")
    } else {
        paint.bad("not passed:")
    };
    context.printer.tell(&format!("{sign} {text}"));
    context.printer.data(out.as_str());
    if context.cancel.is_cancelled() {
        return Err(Told::interrupted().into());
    }
    Ok(totals.exit_code())
}
