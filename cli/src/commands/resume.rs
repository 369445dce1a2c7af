//! `resume`.

use std::time::Duration;

use kcluster_cluster::{Impact, Resumed, StateDir, resume};
use kcluster_matrix::exit;

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

const HEADINGS: [&str; 8] = [
    "class",
    "pods",
    "restarted",
    "evicted",
    "deleted",
    "lost readiness",
    "not Ready",
    "until Ready",
];

/// Classes, then the pods to which something happened, then nodes.
fn report(impact: &Impact) -> String {
    let columns = 1..HEADINGS.len();
    let mut classes = columns.fold(Table::new(HEADINGS), Table::numbers);
    for (name, class) in &impact.classes {
        let counts = [
            class.pods,
            class.restarted,
            class.evicted,
            class.deleted,
            class.lost_readiness,
            class.not_ready,
        ];
        let counts = counts.iter().map(ToString::to_string);
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
    use kcluster_cluster::{ClassImpact, NodeGap};

    #[test]
    fn the_report_has_a_line_for_each_class_and_node() {
        let class = ClassImpact {
            pods: 3,
            restarted: 1,
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
            "class      pods  restarted  evicted  deleted  lost readiness  not Ready  until Ready\n\
             Burstable     3          1        0        0               0          0        2.2 s\n\
             \n\
             node              lease gap\n\
             a-worker-1  not renewed yet\n"
        );
    }
}
