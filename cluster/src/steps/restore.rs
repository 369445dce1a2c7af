//! Nodes made from what a snapshot holds: no kubeadm, only starts.

use std::collections::BTreeSet;

use futures_util::future::{join_all, try_join};
use ipnet::Ipv4Net;
use kcluster_matrix::{NodePlan, Role, Step};

use super::alive;
use super::context::Context;
use super::kubeconfig::kubeconfig;
use super::network::network_at;
use super::nodes::{all_good, failed, make_again, start, var_volume};
use super::ready::ready_again;
use super::renew::renew;
use crate::archive::{self, File};
use crate::error::StepError;
use crate::labels;

/// Tells a node that it comes back: whom its programs ask is held until the API server answers.
const COMEBACK: &str = "/kcluster/comeback.json";

/// What to make.
pub(crate) struct Restore {
    /// The network's addresses.
    pub(crate) subnet: Ipv4Net,
    /// Each node, the volume of its `/var`, and its other files; the control plane first.
    pub(crate) nodes: Vec<(NodePlan, String, Vec<u8>)>,
    /// What the API tells of the life before.
    pub(crate) stale: BTreeSet<String>,
    /// The certificate of the cluster's authority, if it is another one than in that life.
    pub(crate) authority: Option<String>,
}

/// From nothing to all Ready; what comes back is the API server's URL.
pub(crate) async fn restore(context: &Context<'_>, work: Restore) -> Result<String, StepError> {
    network_at(context, work.subnet).await?;
    let plans: Vec<NodePlan> = work.nodes.iter().map(|(node, ..)| node.clone()).collect();
    context
        .step(
            Step::Restore,
            None,
            make(context, work.nodes, work.authority.is_some()),
        )
        .await?;
    context
        .step(Step::Nodes, None, begin(context, &plans))
        .await?;
    let ready = async {
        if let Some(authority) = &work.authority {
            renew(context, &plans, authority).await?;
        }
        ready_again(context, &plans, work.stale).await
    };
    tokio::select! {
        done = try_join(ready, kubeconfig(context, &plans[0].name)) => {
            done.map(|((), server)| server)
        }
        error = alive::until_one_ends(context, &plans) => Err(error),
    }
}

/// Volumes filled and containers made at the same time.
async fn make(
    context: &Context<'_>,
    nodes: Vec<(NodePlan, String, Vec<u8>)>,
    hold: bool,
) -> Result<(), StepError> {
    context.check_cancel()?;
    let (engine, spec) = (context.engine, context.spec);
    let own = labels::for_cluster(spec);
    let volumes = nodes.iter().map(async |(node, ..)| {
        let made = engine.create_volume(&var_volume(&node.name), &own).await;
        made.map_err(|error| failed(node, &error))
    });
    all_good(join_all(volumes).await)?;
    let pairs: Vec<(String, String)> = nodes
        .iter()
        .map(|(node, from, _)| (from.clone(), var_volume(&node.name)))
        .collect();
    let fill = async {
        let copied = engine.copy_volumes(&spec.image, &pairs, &own).await;
        copied.map_err(|error| StepError::failed(Step::Restore, None, error))
    };
    let comeback = format!("{}\n", serde_json::json!({ "hold": hold }));
    let comeback = [File::public(COMEBACK, comeback)];
    let containers = async {
        let privilege = engine
            .privilege(&spec.image, &own)
            .await
            .map_err(|error| StepError::failed(Step::Restore, None, error))?;
        let privilege = &privilege;
        let made = nodes.into_iter().map(async |(node, _, archive)| {
            let archive = archive::extended(&archive, &comeback)
                .map_err(|error| StepError::failed(Step::Restore, Some(&node.name), error))?;
            make_again(context, &node, archive, privilege).await
        });
        all_good(join_all(made).await)
    };
    // Neither is broken off: what the engine has begun would be left behind.
    let (filled, made) = futures_util::future::join(fill, containers).await;
    filled.and(made)
}

/// Control planes first: what workers do can only begin once an API server answers.
async fn begin(context: &Context<'_>, nodes: &[NodePlan]) -> Result<(), StepError> {
    let (workers, first): (Vec<&NodePlan>, Vec<&NodePlan>) =
        nodes.iter().partition(|node| node.role == Role::Worker);
    for nodes in [first, workers] {
        context.check_cancel()?;
        let started = join_all(nodes.into_iter().map(|node| start(context, node)));
        all_good(started.await)?;
    }
    Ok(())
}
