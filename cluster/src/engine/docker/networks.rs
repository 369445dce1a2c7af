//! Networks: one bridge for each cluster.

use std::collections::HashMap;

use bollard::models::{Ipam, IpamConfig, Network, NetworkCreateRequest};
use bollard::query_parameters::ListNetworksOptionsBuilder;

use super::errors::{Operation, is_overlap};
use super::{DockerEngine, by_labels, from_map, to_map};
use crate::engine::{EngineError, Labels, NetworkInfo, NetworkSpec};

const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";

impl DockerEngine {
    pub(super) async fn make_network(&self, spec: &NetworkSpec) -> Result<(), EngineError> {
        let operation = Operation::new("create", "network", &spec.name);
        let exists = || EngineError::Exists {
            what: "network",
            name: spec.name.clone(),
        };
        // Engines before 25 accept a second network of the same name.
        if !self.named(&spec.name).await?.is_empty() {
            return Err(exists());
        }
        let gateway = spec.subnet.hosts().next();
        let config = |subnet: String, gateway: Option<String>| IpamConfig {
            subnet: Some(subnet),
            gateway,
            ..IpamConfig::default()
        };
        let mut configs = vec![config(
            spec.subnet.trunc().to_string(),
            gateway.map(|address| address.to_string()),
        )];
        if let Some(six) = spec.subnet6 {
            let gateway = six.hosts().nth(1).map(|address| address.to_string());
            configs.push(config(six.trunc().to_string(), gateway));
        }
        let request = NetworkCreateRequest {
            name: spec.name.clone(),
            driver: Some("bridge".into()),
            enable_ipv6: Some(spec.subnet6.is_some()),
            ipam: Some(Ipam {
                config: Some(configs),
                ..Ipam::default()
            }),
            options: Some(HashMap::from([(
                MASQUERADE.to_owned(),
                spec.masquerade.to_string(),
            )])),
            labels: Some(to_map(&spec.labels)),
            ..NetworkCreateRequest::default()
        };
        let made = match self.docker.create_network(request).await {
            Ok(made) => made,
            Err(error) if is_overlap(&error) => {
                return Err(EngineError::SubnetTaken {
                    subnet: spec.subnet.to_string(),
                });
            }
            Err(error) => return Err(self.map(operation)(error)),
        };
        // Two made at once: who sees another backs off. Both may, but never do both stay.
        if self.named(&spec.name).await?.len() > 1 {
            self.docker
                .remove_network(&made.id)
                .await
                .map_err(self.map(operation))?;
            return Err(exists());
        }
        Ok(())
    }

    pub(super) async fn list_networks(
        &self,
        labels: &Labels,
    ) -> Result<Vec<NetworkInfo>, EngineError> {
        let networks = self.networks_by(&by_labels(labels)).await?;
        Ok(networks.into_iter().map(info).collect())
    }

    pub(super) async fn drop_network(&self, name: &str) -> Result<(), EngineError> {
        self.docker
            .remove_network(name)
            .await
            .map_err(self.map(Operation::new("remove", "network", name)))
    }

    async fn named(&self, name: &str) -> Result<Vec<Network>, EngineError> {
        // The filter matches parts of names too.
        let filter = HashMap::from([("name".to_owned(), vec![name.to_owned()])]);
        let mut networks = self.networks_by(&filter).await?;
        networks.retain(|network| network.name.as_deref() == Some(name));
        Ok(networks)
    }

    async fn networks_by(
        &self,
        filter: &HashMap<String, Vec<String>>,
    ) -> Result<Vec<Network>, EngineError> {
        let options = ListNetworksOptionsBuilder::default()
            .filters(filter)
            .build();
        self.docker
            .list_networks(Some(options))
            .await
            .map_err(self.map(Operation::new("list", "networks", "")))
    }
}

fn info(network: Network) -> NetworkInfo {
    let configs = network.ipam.and_then(|ipam| ipam.config);
    NetworkInfo {
        name: network.name.unwrap_or_default(),
        subnets: configs
            .unwrap_or_default()
            .into_iter()
            .filter_map(|config| config.subnet?.parse().ok())
            .collect(),
        labels: from_map(network.labels),
    }
}
