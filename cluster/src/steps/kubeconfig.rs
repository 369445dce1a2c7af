//! The kubeconfig for users of the cluster.

use std::time::Duration;

use kcluster_matrix::Step;

use super::context::Context;
use crate::engine::ExecSpec;
use crate::error::StepError;
use crate::{kubeadm, kubeconfig, labels, reach};

const LIMIT: Duration = Duration::from_secs(30);

/// Writes it; what comes back is the API server's URL in it.
pub(crate) async fn kubeconfig(
    context: &Context<'_>,
    control_plane: &str,
) -> Result<String, StepError> {
    context
        .step(Step::Kubeconfig, None, write(context, control_plane))
        .await
}

async fn write(context: &Context<'_>, control_plane: &str) -> Result<String, StepError> {
    let fail = |reason: &dyn std::fmt::Display| {
        StepError::failed(Step::Kubeconfig, Some(control_plane), reason)
    };
    let nodes = context
        .engine
        .nodes(&labels::of_cluster(&context.spec.name))
        .await
        .map_err(|error| fail(&error))?;
    let published = nodes
        .iter()
        .find_map(|node| node.published_api)
        .ok_or_else(|| fail(&"the engine published no port for the API server"))?;
    let spec = ExecSpec::new(["cat", kubeadm::ADMIN]);
    let admin = context
        .ask(Step::Kubeconfig, control_plane, spec, LIMIT)
        .await?
        .stdout;
    let server = reach::open(context.dir, &context.reach, published)
        .await
        .map_err(|error| fail(&error))?;
    let text =
        kubeconfig::render(&context.spec.name, &server, &admin).map_err(|error| fail(&error))?;
    context
        .dir
        .write_kubeconfig(&text)
        .map_err(|error| fail(&error))?;
    Ok(server)
}
