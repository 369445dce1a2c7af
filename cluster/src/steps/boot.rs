//! The order of the steps.

use futures_util::future::{try_join, try_join3};
use kcluster_matrix::Step;
use tokio_util::sync::CancellationToken;

use super::addons::{addons, images};
use super::alive;
use super::context::{Context, Plan};
use super::init::init;
use super::join::join;
use super::kubeconfig::kubeconfig;
use super::network::network;
use super::nodes::nodes;
use super::ready::ready;
use crate::error::StepError;
use crate::pki;
use crate::state::{Phase, Status};
use crate::token::BootstrapToken;

/// From nothing to all Ready; what comes back is the state to remember.
pub(crate) async fn boot(context: &Context<'_>, begun: &Status) -> Result<Status, StepError> {
    let subnet = network(context).await?;
    let fail = |error: &dyn std::fmt::Display| StepError::failed(Step::Nodes, None, error);
    let plan = Plan {
        subnet,
        nodes: context.spec.nodes(subnet).map_err(|error| fail(&error))?,
        authority: pki::authority("kubernetes").map_err(|error| fail(&error))?,
        shared: (context.spec.options.control_planes > 1)
            .then(pki::shared)
            .transpose()
            .map_err(|error| fail(&error))?,
        token: BootstrapToken::random().map_err(|error| fail(&error))?,
    };
    let mut status = Status {
        subnet: Some(subnet),
        nodes: plan.nodes.clone(),
        ..begun.clone()
    };
    context
        .dir
        .write_status(&status)
        .map_err(|error| fail(&error))?;
    nodes(context, &plan).await?;
    let joinable = CancellationToken::new();
    let control_plane = async {
        init(context, &plan, &joinable).await?;
        let name = &plan.control_plane().name;
        let ((), server) = try_join(ready(context, &plan), kubeconfig(context, name)).await?;
        Ok::<String, StepError>(server)
    };
    let work = async {
        let joined = join(context, &plan, &joinable);
        let (server, (), ()) = try_join3(control_plane, joined, images(context, &plan)).await?;
        addons(context, plan.control_plane()).await?;
        Ok(server)
    };
    let server = tokio::select! {
        done = work => done?,
        error = alive::until_one_ends(context, &plan.nodes) => return Err(error),
    };
    status.phase = Phase::Ready;
    status.server = Some(server);
    context
        .dir
        .write_status(&status)
        .map_err(|error| fail(&error))?;
    Ok(status)
}
