//! The cluster's own network, on addresses that nobody else has.

use ipnet::Ipv4Net;
use kcluster_matrix::cluster::subnet6;
use kcluster_matrix::{Egress, Step};

use super::context::Context;
use crate::engine::{EngineError, Labels, NetworkSpec};
use crate::error::StepError;
use crate::{labels, subnet};

/// Two clusters that begin at once may choose the same subnet; the engine gives it to one.
const ATTEMPTS: usize = 32;

/// Makes the network; what comes back are its addresses.
pub(super) async fn network(context: &Context<'_>) -> Result<Ipv4Net, StepError> {
    context.step(Step::Network, None, create(context)).await
}

/// Makes the network on addresses that are given; another may have them by now.
pub(super) async fn network_at(context: &Context<'_>, subnet: Ipv4Net) -> Result<(), StepError> {
    let work = async {
        context.check_cancel()?;
        let spec = network_spec(context, subnet);
        let made = context.engine.create_network(&spec).await;
        made.map_err(|error| StepError::failed(Step::Network, None, error))
    };
    context.step(Step::Network, None, work).await
}

fn network_spec(context: &Context<'_>, subnet: Ipv4Net) -> NetworkSpec {
    NetworkSpec {
        name: network_name(context),
        subnet,
        subnet6: context
            .spec
            .options
            .ip_family
            .has_6()
            .then(|| subnet6(subnet)),
        masquerade: context.spec.egress == Egress::Open,
        labels: labels::for_cluster(context.spec),
    }
}

async fn create(context: &Context<'_>) -> Result<Ipv4Net, StepError> {
    context.check_cancel()?;
    let spec = context.spec;
    let fail = |error: &dyn std::fmt::Display| StepError::failed(Step::Network, None, error);
    let existing = context
        .engine
        .networks(&Labels::new())
        .await
        .map_err(|error| fail(&error))?;
    let mut taken: Vec<Ipv4Net> = existing
        .into_iter()
        .flat_map(|network| network.subnets)
        .chain([spec.pod_subnet, spec.service_subnet])
        .collect();
    for _ in 0..ATTEMPTS {
        let Some(subnet) = subnet::choose(&taken) else {
            break;
        };
        let made = context
            .engine
            .create_network(&network_spec(context, subnet))
            .await;
        match made {
            Ok(()) => return Ok(subnet),
            Err(EngineError::SubnetTaken { .. }) => taken.push(subnet),
            Err(error) => return Err(fail(&error)),
        }
    }
    Err(fail(
        &"no /24 of 10.89.0.0/16 is free; remove unused networks of the engine (`cargo kcluster clean`, `docker network prune`)",
    ))
}

/// What the cluster's network is called.
pub(super) fn network_name(context: &Context<'_>) -> String {
    format!("kcluster-{}", context.spec.name)
}
