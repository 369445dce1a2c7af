//! Node containers: all made at the same time, then all started at the same time.

use futures_util::future::join_all;
use kcluster_matrix::{NodePlan, Role, Step};

use super::context::{Context, Plan};
use super::network::network_name;
use crate::engine::{EngineError, NodeSpec, Privilege};
use crate::error::StepError;
use crate::{files, labels};

/// Makes and starts every node. Nothing is broken off half-way: a request that the
/// engine has already taken would leave something behind that nobody knows of.
pub(super) async fn nodes(context: &Context<'_>, plan: &Plan) -> Result<(), StepError> {
    context.step(Step::Nodes, None, all(context, plan)).await
}

async fn all(context: &Context<'_>, plan: &Plan) -> Result<(), StepError> {
    context.check_cancel()?;
    let privilege = context
        .engine
        .privilege(&context.spec.image, &labels::for_cluster(context.spec))
        .await
        .map_err(|error| StepError::failed(Step::Nodes, None, error))?;
    context.check_cancel()?;
    // Making is the slow half, and none starts before all are made: a node that runs
    // looks for its peers.
    let made = join_all(
        plan.nodes
            .iter()
            .map(|node| make(context, plan, node, &privilege)),
    );
    all_good(made.await)?;
    context.check_cancel()?;
    let started = join_all(plan.nodes.iter().map(|node| start(context, node)));
    all_good(started.await)
}

async fn make(
    context: &Context<'_>,
    plan: &Plan,
    node: &NodePlan,
    privilege: &Privilege,
) -> Result<(), StepError> {
    let engine = context.engine;
    let archive = files::archive(plan, &plan.inputs(context), node)
        .map_err(|error| StepError::failed(Step::Nodes, Some(&node.name), error))?;
    let spec = spec(context, node, privilege);
    let work = async {
        engine.create_volume(&spec.var_volume, &spec.labels).await?;
        engine.create_node(&spec).await?;
        engine.copy_in(&node.name, archive).await
    };
    work.await.map_err(|error| failed(node, &error))
}

/// Makes a node whose volume is there already, with the files of `archive`.
pub(super) async fn make_again(
    context: &Context<'_>,
    node: &NodePlan,
    archive: Vec<u8>,
    privilege: &Privilege,
) -> Result<(), StepError> {
    let work = async {
        let spec = spec(context, node, privilege);
        context.engine.create_node(&spec).await?;
        context.engine.copy_in(&node.name, archive).await
    };
    work.await.map_err(|error| failed(node, &error))
}

pub(super) async fn start(context: &Context<'_>, node: &NodePlan) -> Result<(), StepError> {
    let work = async {
        context
            .engine
            .start_node(&node.name)
            .await
            .map_err(|error| failed(node, &error))
    };
    context.step(Step::Nodes, Some(&node.name), work).await
}

fn spec(context: &Context<'_>, node: &NodePlan, privilege: &Privilege) -> NodeSpec {
    let mut own = labels::for_cluster(context.spec);
    own.insert(labels::ROLE.to_owned(), node.role.to_string());
    NodeSpec {
        name: node.name.clone(),
        image: context.spec.image.clone(),
        network: network_name(context),
        address: node.address,
        var_volume: var_volume(&node.name),
        address6: node.address6,
        mounts: node.settings.mounts.clone(),
        ports: node.settings.ports.clone(),
        cpus: node.settings.cpus,
        memory: node.settings.memory,
        publish_api: publishes(context, node)
            .then_some((context.spec.api_address, context.spec.api_port)),
        privilege: privilege.clone(),
        labels: own,
    }
}

/// Where clients from outside come in.
fn publishes(context: &Context<'_>, node: &NodePlan) -> bool {
    match node.role {
        Role::LoadBalancer => true,
        Role::ControlPlane => context.spec.options.control_planes == 1,
        Role::Worker => false,
    }
}

/// The volume at a node's `/var`.
pub(crate) fn var_volume(node: &str) -> String {
    format!("{node}-var")
}

pub(super) fn failed(node: &NodePlan, error: &EngineError) -> StepError {
    StepError::failed(Step::Nodes, Some(&node.name), error)
}

/// The first error, after all are done.
pub(super) fn all_good<E>(results: Vec<Result<(), E>>) -> Result<(), E> {
    results.into_iter().collect()
}
