//! Boots a cluster and shows when what happened: `up NAME WORKERS VERSION IMAGE`, or
//! `up NAME` to remove one. For measuring boots without the command line around it.

#![expect(clippy::print_stdout, reason = "it is an example")]

use std::collections::BTreeMap;
use std::time::Instant;

use kcluster_cluster::engine::{Endpoint, connect};
use kcluster_cluster::{StateDir, down, up};
use kcluster_matrix::{
    Arch, Cell, ClusterSpec, Cni, Egress, Emulation, EventKind, ProxyMode, Sink,
};
use tokio_util::sync::CancellationToken;

struct Printer(Instant);

impl Sink for Printer {
    fn emit(&self, kind: EventKind) {
        let at = self.0.elapsed().as_secs_f64();
        match kind {
            EventKind::StepStarted { step, node } => {
                println!("{at:7.2} > {step} {}", node.unwrap_or_default());
            }
            EventKind::StepOutput { step, node, line } => {
                println!("{at:7.2}   [{step} {}] {line}", node.unwrap_or_default());
            }
            EventKind::StepFinished {
                step,
                node,
                took,
                outcome,
            } => {
                let node = node.unwrap_or_default();
                let took = took.as_secs_f64();
                println!("{at:7.2} < {step} {node} {took:.2} s {outcome:?}");
            }
            other => println!("{at:7.2} {other:?}"),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let name = words.next().ok_or("give a name")?.parse()?;
    let engine = connect(&Endpoint::from_env_or(None)?).await?;
    let state = StateDir::new(std::env::temp_dir().join("kcluster-example"));
    let sink = Printer(Instant::now());
    let Some(workers) = words.next() else {
        println!("{:?}", down(&*engine, &name, &state, &sink).await?);
        return Ok(());
    };
    let spec = ClusterSpec {
        name,
        cell: Cell {
            kubernetes: words.next().ok_or("give a version")?.parse()?,
            cni: std::env::var("CNI").map_or(Ok(Cni::Bridge), |cni| cni.parse())?,
            arch: Arch::Amd64,
            emulation: Emulation::Native,
            variant: String::new(),
        },
        workers: workers.parse()?,
        image: words.next().ok_or("give an image")?,
        egress: Egress::Closed,
        pod_subnet: "10.244.0.0/16".parse()?,
        service_subnet: "10.96.0.0/16".parse()?,
        api_address: "127.0.0.1".parse()?,
        api_port: 0,
        proxy_mode: ProxyMode::Nftables,
        feature_gates: BTreeMap::new(),
        runtime_config: BTreeMap::new(),
        patches: Vec::new(),
        retain: std::env::var_os("RETAIN").is_some(),
        options: kcluster_matrix::ClusterOptions::default(),
    };
    let cancel = CancellationToken::new();
    let interrupted = cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupted.cancel();
        }
    });
    match up(&*engine, &spec, &state, &sink, &cancel).await {
        Ok(cluster) => println!("{:7.2} {cluster:?}", sink.0.elapsed().as_secs_f64()),
        Err(error) => println!("{error}"),
    }
    Ok(())
}
