//! Running specs: what `e2e` and `e2e-serial` share.

use camino::Utf8PathBuf;
use kcluster_e2e::marks::Gauge;
use kcluster_e2e::run::not_run;
use kcluster_e2e::{Durations, E2eError, End, RunRequest, RunResult, Tools, Which};
use kcluster_images::HostTools;
use kcluster_matrix::plan::SuiteSpec;
use kcluster_matrix::{Arch, Emulation, KubeVersion, Shard, Sink, Suite, exit};

use crate::config::{Layer, NameFlag, ReportFlag, SourceFlags, TestFlags};
use crate::context::Context;
use crate::error::Told;
use crate::output::{Record, events_file};
use crate::target::Target;
use crate::{fold, image, report};

mod finish;
mod plan;

use finish::Done;
use plan::Plan;

#[derive(Debug, Default, clap::Args)]
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
    /// Only the specs that this file names, one a line
    #[arg(long, value_name = "FILE")]
    specs: Option<Utf8PathBuf>,
    /// Only what did not pass in an earlier run: its report's folder, or `last`
    #[arg(long, value_name = "DIR|last")]
    rerun_failed: Option<Utf8PathBuf>,
    /// Only one part of several that take about as long, such as 2/4
    #[arg(long, value_name = "M/N")]
    shard: Option<Shard>,
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

/// `e2e` itself: what only it takes.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct E2e {
    #[command(flatten)]
    same: Args,
    /// Also run the specs that must run alone, after the others on the same cluster
    #[arg(long)]
    all: bool,
}

impl E2e {
    pub(crate) fn layer(&self) -> Layer {
        self.same.layer()
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        // Specs that are named are meant, whether they must run alone or not.
        let named = self.same.rerun_failed.is_some() || self.same.specs.is_some();
        let all = self.all || named;
        let which = if all { Which::All } else { Which::Parallel };
        self.same.followed(context, which).await
    }
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([&self.name.0, &self.report.0, &self.tests.0, &self.source.0])
    }

    /// Those of a named suite, or the part of them that `shard` is.
    pub(crate) fn of_suite(suite: &SuiteSpec, shard: Option<Shard>) -> (Self, Which) {
        let which = if suite.all {
            Which::All
        } else {
            Which::Parallel
        };
        let args = Self {
            focus: suite.focus.clone(),
            skip: suite.skip.clone(),
            label_filter: suite.label_filter.clone(),
            shard,
            ..Self::default()
        };
        (args, which)
    }

    /// The same as [`specs`](Self::specs), shown as it goes.
    pub(super) async fn followed(self, context: Context, which: Which) -> anyhow::Result<u8> {
        context.follow()?;
        self.specs(context, which).await
    }

    /// Lists the specs that are meant, runs them, and reports.
    pub(crate) async fn specs(self, context: Context, which: Which) -> anyhow::Result<u8> {
        if self.dry_run {
            return self.dry(&context, which).await;
        }
        let target = Target::find(&context.settings).await?;
        target.control_plane()?;
        let spec = target.spec.clone().ok_or_else(|| unknown(&context))?;
        context.hub.enter(spec.cell.id());
        let (tools, _in_use) = programs(&context, &spec.cell.kubernetes).await?;
        let history = report::history(&context, &spec.cell);
        let Some(plan) = self.plan(&context, which, &tools, &history).await? else {
            return Ok(exit::PASSED);
        };
        let out = report::out(&context, plan.rerun.as_deref())?;
        report::clear(&out)?;
        context.record(Record::create(&events_file(&out)));
        let done = run(&context, &target, self, &plan, &tools, &out).await?;
        finish::learn(&context, &history, &done);
        if finish::worth_a_look(&done) && !context.cancel.is_cancelled() {
            finish::dump(&context, &target, &tools, &done, &out).await;
        }
        context.hub.finish();
        let mut suites: Vec<Suite> = Vec::new();
        let boot = Record::read(&events_file(&context.settings.cluster_dir()));
        if !boot.is_empty() {
            suites.push(fold::boot_suite(&boot, &report::host()));
        }
        suites.extend(done.iter().map(|done| done.suite(&spec, &plan)));
        report::write(&out, &suites)?;
        report::remember(&context, &out);
        finish::conclude(&context, &done, &out)
    }

    /// What would run, without a cluster if there is none.
    async fn dry(self, context: &Context, which: Which) -> anyhow::Result<u8> {
        let target = Target::find(&context.settings).await;
        let spec = target.ok().and_then(|target| target.spec);
        let (version, history) = match spec {
            Some(spec) => (
                spec.cell.kubernetes.clone(),
                report::history(context, &spec.cell),
            ),
            None => {
                let version = image::version(&context.settings)?;
                let machine = Arch::from_uname(&machine());
                let platform = context.settings.platform_on(machine)?;
                let cell = context.settings.cell(version.clone(), platform);
                (version, report::history(context, &cell))
            }
        };
        let (tools, _in_use) = programs(context, &version).await?;
        let plan = self.plan(context, which, &tools, &history).await?;
        context.hub.finish();
        let Some(plan) = plan else {
            return Ok(exit::PASSED);
        };
        let durations = Durations::with_history(&history);
        for phase in &plan.phases {
            let known = durations.sum(&phase.list);
            let known = kcluster_reports::text::duration(known);
            context.printer.tell(&format!(
                "{}: {} specs of {version}, {known} by earlier runs, one after the other",
                phase.which.phase(),
                phase.list.len()
            ));
            context.printer.data(&phase.list.to_text());
        }
        Ok(exit::PASSED)
    }

    async fn plan(
        &self,
        context: &Context,
        which: Which,
        tools: &Tools,
        history: &Utf8PathBuf,
    ) -> anyhow::Result<Option<Plan>> {
        let earlier = match &self.rerun_failed {
            None => None,
            Some(folder) => {
                let folder = report::folder(context, Some(folder))?;
                let failed = plan::failed(&report::read(&folder)?.suites);
                if failed.is_empty() {
                    let told = format!("nothing failed in the run of {folder}");
                    context.hub.note(&told);
                    return Ok(None);
                }
                Some((folder, failed))
            }
        };
        let selection = self.selection(which);
        let mut list = kcluster_e2e::list::list(tools, &selection).await?;
        if let Some(file) = &self.specs {
            list = plan::named(&list, &context.host.folder.join(file))?;
        }
        let durations = Durations::with_history(history);
        let mut plan = Plan::new(&list, &selection, earlier, self.shard, &durations);
        plan.narrowed
            .extend(self.specs.iter().map(|file| format!("specs of {file}")));
        let unknown = &plan.unknown;
        if !unknown.is_empty() {
            context.hub.warn(&format_args!(
                "{} specs of that run are not in this version, or not selected, such as {}",
                unknown.len(),
                unknown[0]
            ));
        }
        if plan.phases.is_empty() {
            let told = Told::input("none of the specs that failed can be run again");
            return Err(told
                .help("run them with the version they failed with")
                .into());
        }
        Ok(Some(plan))
    }
}

/// Runs the phases one after the other, and leaves no spec without a verdict.
async fn run(
    context: &Context,
    target: &Target,
    args: Args,
    plan: &Plan,
    tools: &Tools,
    out: &Utf8PathBuf,
) -> anyhow::Result<Vec<Done>> {
    let settings = &context.settings;
    let info = target.engine.info().await?;
    let emulation = target
        .spec
        .as_ref()
        .map_or(Emulation::Native, |spec| spec.cell.emulation);
    let begun = std::time::Instant::now();
    let mut done: Vec<Done> = Vec::new();
    for phase in &plan.phases {
        let request = RunRequest {
            tools: tools.clone(),
            kubeconfig: settings.kubeconfig(),
            processes: plan::processes(settings, &info, emulation, phase),
            list: phase.list.clone(),
            out: plan.folder(out, phase),
            timeout: settings.timeout.0.saturating_sub(begun.elapsed()),
            spec_timeout: settings.spec_timeout.given().map(|limit| limit.0),
            attempts: u32::from(settings.retries) + 1,
            grace: kcluster_e2e::run::GRACE,
            patience: kcluster_e2e::health::Patience::of(emulation),
            fail_fast: args.fail_fast,
            extra_args: args.extra.clone(),
        };
        let before = done.last().map(|done| &done.result);
        let over = before.and_then(|before| stops(before, args.fail_fast));
        let gauge = info.local.then(|| {
            let root = Utf8PathBuf::from(&info.data_root);
            Gauge::start(if root.is_dir() { root } else { out.clone() })
        });
        let result = match over {
            Some(end) => not_run(&phase.list, &end),
            None if phase.list.is_empty() => not_run(&phase.list, &End::Completed),
            None => {
                let run = kcluster_e2e::run::run(&request, &context.hub, &context.cancel).await;
                match run {
                    // What ran before must not be lost for it.
                    Err(E2eError::Unreachable { said, .. }) if !done.is_empty() => {
                        not_run(&phase.list, &End::ApiServerLost { detail: said })
                    }
                    run => run?,
                }
            }
        };
        done.push(Done {
            phase: phase.which.phase(),
            result,
            request,
            marks: gauge.and_then(Gauge::stop),
        });
    }
    Ok(done)
}

/// Why nothing may run after `before`, if so.
fn stops(before: &RunResult, fail_fast: bool) -> Option<End> {
    let failed = before.totals().failed > 0;
    match &before.end {
        End::Completed => (fail_fast && failed).then_some(End::Completed),
        end => Some(end.clone()),
    }
}

/// The programs of this version that run specs, and what keeps them from being pruned while it lives.
async fn programs(context: &Context, version: &KubeVersion) -> anyhow::Result<(Tools, HostTools)> {
    let in_use = image::host_tools(context, version).await?;
    let tools = Tools {
        ginkgo: in_use.ginkgo.clone().try_into()?,
        e2e_test: in_use.e2e_test.clone().try_into()?,
        kubectl: in_use.kubectl.clone().try_into()?,
    };
    Ok((tools, in_use))
}

fn machine() -> String {
    let name = rustix::system::uname();
    name.machine().to_string_lossy().into_owned()
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
