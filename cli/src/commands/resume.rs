//! `resume`.

use std::time::Duration;

use camino::Utf8PathBuf;
use kcluster_cluster::{Resumed, StateDir, resume};
use kcluster_matrix::exit;
use kcluster_matrix::impact::Impact;
use kcluster_reports::resume::chart;

use crate::config::{Layer, NameFlag, Timeout};
use crate::context::Context;
use crate::engine;
use crate::output::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    name: NameFlag,
    /// How long to look at what the pause did to pods and nodes
    #[arg(long, value_name = "DURATION", default_value = "12s")]
    observe: Timeout,
    /// Do not look: be done as soon as the API server answers
    #[arg(long, conflicts_with = "observe")]
    no_report: bool,
    /// Draw the report as a picture (SVG)
    #[arg(long, value_name = "FILE", conflicts_with = "no_report")]
    chart: Option<Utf8PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([&self.name.0])
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        context.follow()?;
        let settings = &context.settings;
        let engine = engine::open(settings).await?;
        let state = StateDir::new(&settings.state_dir);
        let observe = if self.no_report {
            Duration::ZERO
        } else {
            self.observe.0
        };
        let name = &settings.name;
        let resumed = resume(engine.as_ref(), name, &state, observe, &context.hub).await?;
        context.hub.finish();
        if let Some(path) = &self.chart {
            let impact = resumed.as_ref().and_then(|resumed| resumed.impact.as_ref());
            let Some(impact) = impact else {
                context
                    .printer
                    .warn(&format!("there is nothing to draw in {path}"));
                return self.tell(&context, resumed);
            };
            fs_err::write(context.host.folder.join(path), chart(name.as_str(), impact))?;
        }
        self.tell(&context, resumed)
    }

    fn tell(&self, context: &Context, resumed: Option<Resumed>) -> anyhow::Result<u8> {
        let name = &context.settings.name;
        if self.json {
            let text = serde_json::to_string_pretty(&resumed)?;
            context.printer.data(&text);
            return Ok(exit::PASSED);
        }
        let Some(Resumed { seconds, impact }) = resumed else {
            context
                .printer
                .tell(&format!("cluster `{name}` is not suspended"));
            return Ok(exit::PASSED);
        };
        context.printer.tell(&format!(
            "cluster `{name}` answers again after {seconds:.2} s"
        ));
        if let Some(impact) = impact {
            context.printer.data(&report(&impact));
        }
        Ok(exit::PASSED)
    }
}

const HEADINGS: [&str; 10] = [
    "class",
    "pods",
    "restarts",
    "evicted",
    "deleted",
    "lost readiness",
    "not Ready",
    "probes failed",
    "connections lost",
    "until Ready",
];

/// Classes, then the pods to which something happened, then nodes.
fn report(impact: &Impact) -> String {
    let columns = 1..HEADINGS.len();
    let mut classes = columns.fold(Table::new(HEADINGS), Table::numbers);
    for (name, class) in &impact.classes {
        let lost = class.connections_lost.zip(class.connections);
        let counts = [
            class.pods.to_string(),
            class.restarts.to_string(),
            class.evicted.to_string(),
            class.deleted.to_string(),
            class.lost_readiness.to_string(),
            class.not_ready.to_string(),
            class.probe_failures.to_string(),
            lost.map_or_else(|| "?".to_owned(), |(lost, all)| format!("{lost} of {all}")),
        ];
        let until = format!("{:.1} s", class.seconds_until_ready);
        classes.row([name.clone()].into_iter().chain(counts).chain([until]));
    }
    let mut pods = Table::new(["pod", "class", "what happened"]);
    for pod in &impact.pods {
        pods.row([&pod.pod, &pod.class, &pod.what].map(String::clone));
    }
    let mut nodes = Table::new(["node", "lease gap"]).numbers(1);
    for node in &impact.nodes {
        let gap = node
            .lease_gap_seconds
            .map_or_else(|| "not renewed yet".to_owned(), |gap| format!("{gap:.1} s"));
        nodes.row([node.node.clone(), gap]);
    }
    let tables = [classes, pods, nodes];
    let shown = tables.iter().filter(|table| !table.is_empty());
    shown
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kcluster_matrix::impact::{ClassImpact, NodeGap};

    #[test]
    fn the_report_has_a_line_for_each_class_and_node() {
        let class = ClassImpact {
            pods: 3,
            restarted: 1,
            restarts: 2,
            connections: Some(7),
            connections_lost: Some(1),
            seconds_until_ready: 2.25,
            ..ClassImpact::default()
        };
        let impact = Impact {
            classes: [("Burstable".to_owned(), class)].into(),
            pods: Vec::new(),
            nodes: vec![NodeGap {
                node: "a-worker-1".into(),
                lease_gap_seconds: None,
            }],
        };
        assert_eq!(
            report(&impact),
            "class      pods  restarts  evicted  deleted  lost readiness  not Ready  probes failed  connections lost  until Ready\n\
             Burstable     3         2        0        0               0          0              0            1 of 7        2.2 s\n\
             \n\
             node              lease gap\n\
             a-worker-1  not renewed yet\n"
        );
    }
}
