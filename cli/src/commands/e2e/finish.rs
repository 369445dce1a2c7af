//! After the last spec: what explains failures, what is remembered, and the verdict.

use std::time::Duration;

use camino::Utf8Path;
use kcluster_cluster::collect_logs;
use kcluster_e2e::marks::Marks;
use kcluster_e2e::{Durations, RunRequest, RunResult, Tools};
use kcluster_matrix::outcome::Totals;
use kcluster_matrix::{Case, ClusterSpec, Sink, Suite, exit};
use kcluster_reports::{property, table, text};

use super::plan::Plan;
use crate::context::Context;
use crate::error::Told;
use crate::target::Target;
use crate::{fold, report};

/// A phase that is over.
pub(super) struct Done {
    pub(super) phase: &'static str,
    pub(super) request: RunRequest,
    pub(super) result: RunResult,
    /// What the machine needed meanwhile, where it is ours.
    pub(super) marks: Option<Marks>,
}

impl Done {
    pub(super) fn suite(&self, spec: &ClusterSpec, plan: &Plan) -> Suite {
        let cell = spec.cell.id();
        let properties = self.properties(spec, plan);
        self.result
            .suite(cell.as_str(), self.phase, &report::host(), properties)
    }

    /// What describes the run in reports.
    fn properties(&self, spec: &ClusterSpec, plan: &Plan) -> Vec<(String, String)> {
        let mut properties = vec![
            (property::KUBERNETES, spec.cell.kubernetes.to_string()),
            ("cni", spec.cell.cni.to_string()),
            ("arch", spec.cell.arch.to_string()),
            ("emulation", spec.cell.emulation.to_string()),
            ("native", spec.cell.emulation.runs_native().to_owned()),
            ("kube-proxy-mode", spec.proxy_mode.to_string()),
            ("workers", spec.workers.to_string()),
            ("image", spec.image.clone()),
            ("processes", self.request.processes.to_string()),
            ("seconds", self.result.took.as_secs().to_string()),
            (property::LISTED, self.result.listed.to_string()),
        ];
        if !plan.narrowed.is_empty() {
            properties.push((property::NARROWED, plan.narrowed.join(", ")));
        }
        if !self.request.extra_args.is_empty() {
            properties.push(("e2e.test", self.request.extra_args.join(" ")));
        }
        if let Some((shard, table)) = &plan.shard {
            properties.push((property::SHARD, shard.to_string()));
            properties.push((property::DURATIONS, table.clone()));
        }
        if let Some(folder) = &plan.rerun {
            properties.push((property::RERUN, folder.to_string()));
        }
        if let Some(marks) = self.marks {
            properties.extend([
                ("memory-start-bytes", marks.memory.start.to_string()),
                (property::MEMORY_PEAK, marks.memory.peak.to_string()),
                ("disk-start-bytes", marks.disk.start.to_string()),
                (property::DISK_PEAK, marks.disk.peak.to_string()),
            ]);
        }
        let own = |(name, value): (&str, String)| (name.to_owned(), value);
        properties.into_iter().map(own).collect()
    }
}

/// Whether anything did not go as it should.
pub(super) fn worth_a_look(done: &[Done]) -> bool {
    done.iter().any(|done| {
        let totals = done.result.totals();
        totals.exit_code() != exit::PASSED || totals.flaky > 0
    })
}

/// Remembers how long specs took; that it cannot spoils nothing.
pub(super) fn learn(context: &Context, history: &Utf8Path, done: &[Done]) {
    let cases: Vec<Case> = all(done).cloned().collect();
    if let Err(error) = Durations::record(history, &cases) {
        context.hub.warn(&error);
    }
}

fn all(done: &[Done]) -> impl Iterator<Item = &Case> {
    done.iter().flat_map(|done| &done.result.cases)
}

/// What API and nodes say, where specs failed; that it cannot be had must not hide the failures.
pub(super) async fn dump(
    context: &Context,
    target: &Target,
    tools: &Tools,
    done: &[Done],
    out: &Utf8Path,
) {
    let kubeconfig = context.settings.kubeconfig();
    let cases: Vec<Case> = all(done).cloned().collect();
    let nodes = out.join("dump/nodes");
    let of_specs = kcluster_e2e::dump::dump(tools, &kubeconfig, &cases, out, &context.cancel);
    let of_nodes = collect_logs(
        target.engine.as_ref(),
        &context.settings.name,
        nodes.as_std_path(),
    );
    let (of_specs, of_nodes) = futures_util::future::join(of_specs, of_nodes).await;
    let mut missing: Vec<String> = of_nodes.err().iter().map(ToString::to_string).collect();
    match of_specs {
        Ok(dump) => missing.extend(dump.missing),
        Err(error) => missing.push(error.to_string()),
    }
    if let Some(first) = missing.first() {
        let count = missing.len();
        context.hub.warn(&format_args!(
            "not everything could be collected ({count} things): {first}"
        ));
    }
    let folder = out.join("dump");
    context
        .hub
        .note(&format_args!("what explains the failures is in {folder}"));
}

/// The last lines, and the exit code that says the same.
pub(super) fn conclude(context: &Context, done: &[Done], out: &Utf8Path) -> anyhow::Result<u8> {
    let printer = &context.printer;
    for done in done {
        let (totals, result) = (done.result.totals(), &done.result);
        let differs = |ginkgo: &kcluster_e2e::follow::Tally| {
            (ginkgo.passed, ginkgo.failed) != (totals.passed, totals.failed)
        };
        if let Some(ginkgo) = result.tally.filter(differs) {
            printer.warn(&format!(
                "{}: ginkgo itself counts {} passed and {} failed; what it did not report counts as not judged",
                done.phase, ginkgo.passed, ginkgo.failed
            ));
        }
        let unrun: Vec<&str> = result.cases.iter().filter_map(fold::never_ran).collect();
        if let Some(reason) = unrun.first() {
            let count = unrun.len();
            printer.warn(&format!(
                "{}: {count} specs have no verdict: {reason}",
                done.phase
            ));
        }
        if done_of_many(done, context) {
            let text = table::totals(&totals, result.took);
            printer.tell(&format!(
                "{}: {} of {} specs: {text}",
                done.phase,
                totals.cases(),
                result.listed
            ));
        }
    }
    for case in all(done).filter(|case| case.is_flaky()) {
        let paint = printer.paint();
        printer.tell(&format!(
            "{} {} ({} attempts)",
            paint.warn("flaky:"),
            case.name,
            case.attempts
        ));
    }
    if let Some(text) = high_water(done) {
        printer.tell(&text);
    }
    let totals = Totals::of(all(done));
    let listed: usize = done.iter().map(|done| done.result.listed).sum();
    let took: Duration = done.iter().map(|done| done.result.took).sum();
    let sign = match totals.exit_code() {
        exit::PASSED => printer.paint().good("passed:"),
        _ => printer.paint().bad("not passed:"),
    };
    printer.tell(&format!(
        "{sign} {} of {listed} specs: {}; reports are in",
        totals.cases(),
        table::totals(&totals, took)
    ));
    printer.data(out.as_str());
    if context.cancel.is_cancelled() {
        return Err(Told::interrupted().into());
    }
    Ok(totals.exit_code())
}

/// Whether a phase is told of by itself: where its line would not only repeat the last one.
fn done_of_many(done: &Done, context: &Context) -> bool {
    context.settings.verbosity > 0
        && done
            .request
            .out
            .file_name()
            .is_some_and(|name| name == "parallel" || name == "serial")
}

fn high_water(done: &[Done]) -> Option<String> {
    let marks = done.iter().filter_map(|done| done.marks);
    let most = marks.reduce(|mut all, marks| {
        all.memory.peak = all.memory.peak.max(marks.memory.peak);
        all.disk.peak = all.disk.peak.max(marks.disk.peak);
        all
    })?;
    let told = |mark: kcluster_e2e::marks::Mark| {
        format!(
            "{} ({} more than before)",
            text::bytes(mark.peak),
            text::bytes(mark.rise())
        )
    };
    Some(format!(
        "high-water marks of this machine: memory {}, disk {}",
        told(most.memory),
        told(most.disk)
    ))
}
