//! The cluster's own network, on addresses that nobody else has.

use ipnet::Ipv4Net;
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
            .create_network(&NetworkSpec {
                name: network_name(context),
                subnet,
                masquerade: spec.egress == Egress::Open,
                labels: labels::for_cluster(spec),
            })
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
