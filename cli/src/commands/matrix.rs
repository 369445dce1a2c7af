//! `matrix plan`, `run`, `github`.

use std::time::Duration;

use clap::Subcommand;
use kcluster_matrix::plan::{MOST_JOBS, Plan, Schedule, jobs};
use kcluster_matrix::{Shard, exit};
use kcluster_reports::text;

use crate::config::{
    ClusterFlags, ImageFlags, Layer, MatrixFlags, ReportFlag, SourceFlags, TestFlags,
};
use crate::context::Context;
use crate::error::Told;
use crate::matrix::planning::{Wish, plan, some};
use crate::matrix::run::Order;
use crate::matrix::stations::{Station, stations};
use crate::output::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// Show each cell with its order, time and memory, and why others are skipped
    Plan {
        #[command(flatten)]
        wish: Wish,
        /// Print the plan as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        flags: Flags,
    },
    /// Run the cells, as many at a time as the machine carries
    Run {
        #[command(flatten)]
        wish: Wish,
        /// Finish what an interrupted run left
        #[arg(long)]
        resume: bool,
        /// Only one part of each suite's specs, such as 2/4
        #[arg(long, value_name = "M/N")]
        spec_shard: Option<Shard>,
        #[command(flatten)]
        flags: Flags,
    },
    /// Print the cells as JSON for GitHub's `strategy.matrix`
    Github {
        #[command(flatten)]
        wish: Wish,
        /// Jobs at most; where there are more cells, jobs take several
        #[arg(long, value_name = "N", default_value_t = MOST_JOBS)]
        jobs: usize,
        #[command(flatten)]
        flags: Flags,
    },
}

/// What all cells have in common.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    matrix: MatrixFlags,
    #[command(flatten)]
    report: ReportFlag,
    #[command(flatten)]
    cluster: ClusterFlags,
    #[command(flatten)]
    image: ImageFlags,
    #[command(flatten)]
    source: SourceFlags,
    #[command(flatten)]
    tests: TestFlags,
}

impl Flags {
    pub(crate) fn layer(&self) -> Layer {
        Layer::of([
            &self.matrix.0,
            &self.report.0,
            &self.cluster.0,
            &self.image.0,
            &self.source.0,
            &self.tests.0,
        ])
    }
}

impl Args {
    pub(crate) fn layer(&self) -> Layer {
        match &self.command {
            Sub::Plan { flags, .. } | Sub::Run { flags, .. } | Sub::Github { flags, .. } => {
                flags.layer()
            }
        }
    }

    pub(crate) async fn run(self, context: Context) -> anyhow::Result<u8> {
        match self.command {
            Sub::Plan { wish, json, .. } => {
                let stations = asked(&context).await;
                let plan = plan(&context, &wish, &stations)?;
                if json {
                    let text = serde_json::to_string_pretty(&plan)?;
                    context.printer.data(&text);
                } else {
                    show(&context, &plan, &stations);
                }
            }
            Sub::Run {
                wish,
                resume,
                spec_shard,
                ..
            } => {
                return cells(&context, &wish, resume, spec_shard).await;
            }
            Sub::Github {
                wish, jobs: most, ..
            } => {
                // What a runner has is not what this machine has.
                let plan = plan(&context, &wish, &[])?;
                let found = jobs(&plan, most).map_err(|error| Told::input(error.to_string()))?;
                let json = found
                    .to_json()
                    .map_err(|error| Told::input(error.to_string()))?;
                for skipped in &plan.skipped {
                    let text = format!("skipped {}: {}", skipped.what, skipped.reason);
                    context.printer.tell(&text);
                }
                context.printer.data(&json);
            }
        }
        Ok(exit::PASSED)
    }
}

/// Plans and runs cells.
pub(crate) async fn cells(
    context: &Context,
    wish: &Wish,
    resume: bool,
    spec_shard: Option<Shard>,
) -> anyhow::Result<u8> {
    context.follow()?;
    let stations = stations(context).await?;
    let plan = plan(context, wish, &stations)?;
    some(&plan)?;
    for skipped in &plan.skipped {
        let text = format!("skipped {}: {}", skipped.what, skipped.reason);
        context.printer.tell(&text);
    }
    let order = Order {
        plan,
        resume,
        spec_shard,
    };
    let code = crate::matrix::run::run(context, order, stations).await;
    context.hub.finish();
    code
}

/// The engines, if they answer: a plan needs none.
async fn asked(context: &Context) -> Vec<Station> {
    match stations(context).await {
        Ok(stations) => stations,
        Err(error) => {
            let text = format!("planned for a machine like this one: {error:#}");
            context.printer.warn(&text);
            Vec::new()
        }
    }
}

fn show(context: &Context, plan: &Plan, stations: &[Station]) {
    let mut table = Table::new(["cell", "nodes", "settings", "suites", "time", "memory"])
        .numbers(1)
        .numbers(4)
        .numbers(5);
    for cell in &plan.cells {
        let estimate = cell.estimate;
        let settings = cell.settings.iter();
        let settings: Vec<String> = settings
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let time = text::duration(Duration::from_secs(estimate.seconds));
        table.row([
            cell.id.to_string(),
            (usize::from(cell.workers) + 1).to_string(),
            settings.join(" "),
            cell.suites.join(" "),
            // What is not measured is worked out.
            if estimate.measured {
                time
            } else {
                format!("~{time}")
            },
            text::bytes(estimate.demand.memory),
        ]);
    }
    let printer = &context.printer;
    if !table.is_empty() {
        printer.data(&table.to_string());
    }
    for skipped in &plan.skipped {
        printer.data(&format!("skipped {}: {}", skipped.what, skipped.reason));
    }
    let carriers = stations.iter().map(Station::carrier).collect();
    let most = context
        .settings
        .cells_at_once
        .given()
        .map(|most| most.get());
    let seconds: Vec<u64> = plan
        .cells
        .iter()
        .map(|cell| cell.estimate.seconds)
        .collect();
    let (all, at_once) = Schedule::new(plan.demands(), carriers, most).foresee(&seconds);
    let mut told = format!(
        "{} cells, {} skipped; one after the other they take about {}",
        plan.cells.len(),
        plan.skipped.len(),
        text::duration(plan.sequential())
    );
    if at_once > 0 {
        let all = text::duration(Duration::from_secs(all));
        told.push_str(&format!(", {at_once} at a time about {all}"));
    }
    printer.tell(&told);
}
