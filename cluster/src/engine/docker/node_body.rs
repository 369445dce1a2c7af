//! What a node's container is, as the engine wants it said. Pure.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use bollard::models::{
    ContainerCreateBody, ContainerSummary, ContainerSummaryStateEnum, DeviceMapping,
    EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigCgroupnsModeEnum,
    HostConfigLogConfig, Mount, MountType, MountVolumeOptions, NetworkingConfig, PortBinding,
};

use kcluster_matrix::node_settings::{Cpus, Memory};

use super::host::HostParts;
use super::{from_map, to_map};
use crate::engine::{NodeInfo, NodeSpec, NodeState, Privilege};

const API_PORT: u16 = 6443;
const API_PORT_KEY: &str = "6443/tcp";

pub(super) fn body(spec: &NodeSpec, host: &HostParts) -> ContainerCreateBody {
    let endpoint = EndpointSettings {
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: Some(spec.address.to_string()),
            ipv6_address: spec.address6.map(|address| address.to_string()),
            ..EndpointIpamConfig::default()
        }),
        ..EndpointSettings::default()
    };
    let published = bindings(spec);
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        hostname: Some(spec.name.clone()),
        labels: Some(to_map(&spec.labels)),
        exposed_ports: (!published.is_empty()).then(|| published.keys().cloned().collect()),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(spec.network.clone(), endpoint)])),
        }),
        host_config: Some(HostConfig {
            port_bindings: (!published.is_empty()).then_some(published),
            ..host_config(spec, host)
        }),
        ..ContainerCreateBody::default()
    }
}

/// What lets a container do as much as `privilege` says, with nothing hidden from it.
pub(super) fn powers(privilege: &Privilege) -> HostConfig {
    let (privileged, cap_add) = match privilege {
        Privilege::Privileged => (true, None),
        Privilege::Capabilities(list) => (false, Some(list.clone())),
    };
    let unconfined = ["seccomp=unconfined", "apparmor=unconfined", "label=disable"];
    HostConfig {
        privileged: Some(privileged),
        cap_add,
        security_opt: Some(unconfined.map(str::to_owned).to_vec()),
        // Nothing under /proc and /sys hidden or read-only.
        masked_paths: Some(Vec::new()),
        readonly_paths: Some(Vec::new()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        init: Some(false),
        ..HostConfig::default()
    }
}

fn host_config(spec: &NodeSpec, host: &HostParts) -> HostConfig {
    HostConfig {
        network_mode: Some(spec.network.clone()),
        nano_cpus: spec
            .cpus
            .map(|Cpus(thousandths)| i64::from(thousandths) * 1_000_000),
        memory: spec
            .memory
            .and_then(|Memory(bytes)| i64::try_from(bytes).ok()),
        mounts: Some(mounts(spec, host)),
        tmpfs: Some(tmpfs()),
        // Without it, runc in the node may not write its pods' devices.allow.
        device_cgroup_rules: Some(vec!["a *:* rwm".to_owned()]),
        devices: Some(host.devices.iter().map(|path| device(path)).collect()),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([("max-size".to_owned(), "10m".to_owned())])),
        }),
        ..powers(&spec.privilege)
    }
}

fn bindings(spec: &NodeSpec) -> HashMap<String, Option<Vec<PortBinding>>> {
    let mut bindings: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    let mut add = |key: String, address: IpAddr, port: u16| {
        let binding = PortBinding {
            host_ip: Some(address.to_string()),
            // Empty lets the engine choose.
            host_port: Some(if port == 0 {
                String::new()
            } else {
                port.to_string()
            }),
        };
        let list = bindings.entry(key).or_default();
        list.get_or_insert_default().push(binding);
    };
    if let Some((address, port)) = spec.publish_api {
        add(API_PORT_KEY.to_owned(), address, port);
    }
    for port in &spec.ports {
        add(
            format!("{}/{}", port.node, port.protocol),
            port.address,
            port.host,
        );
    }
    bindings
}

fn mounts(spec: &NodeSpec, host: &HostParts) -> Vec<Mount> {
    let mut mounts = vec![Mount {
        typ: Some(MountType::VOLUME),
        source: Some(spec.var_volume.clone()),
        target: Some("/var".to_owned()),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }];
    if host.modules {
        mounts.push(modules_mount());
    }
    mounts.extend(spec.mounts.iter().map(|mount| Mount {
        typ: Some(MountType::BIND),
        source: Some(mount.host.clone()),
        target: Some(mount.node.clone()),
        read_only: Some(mount.read_only),
        ..Mount::default()
    }));
    mounts
}

pub(super) fn modules_mount() -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some("/lib/modules".to_owned()),
        target: Some("/lib/modules".to_owned()),
        read_only: Some(true),
        ..Mount::default()
    }
}

fn tmpfs() -> HashMap<String, String> {
    let options = |mode: &str| format!("rw,exec,nosuid,nodev,mode={mode}");
    HashMap::from([
        ("/run".to_owned(), options("755")),
        ("/tmp".to_owned(), options("1777")),
    ])
}

pub(super) fn device(path: &str) -> DeviceMapping {
    DeviceMapping {
        path_on_host: Some(path.to_owned()),
        path_in_container: Some(path.to_owned()),
        cgroup_permissions: Some("rwm".to_owned()),
    }
}

/// A listed container as a node.
pub(super) fn info(container: ContainerSummary) -> NodeInfo {
    let networks = container
        .network_settings
        .and_then(|settings| settings.networks)
        .unwrap_or_default();
    let ports = container.ports.unwrap_or_default();
    let mut published: Vec<(IpAddr, u16)> = ports
        .into_iter()
        .filter(|port| port.private_port == API_PORT)
        .filter_map(|port| Some((port.ip?.parse().ok()?, port.public_port?)))
        .collect();
    // IPv4 first: an engine may publish on both.
    published.sort_by_key(|(address, _)| address.is_ipv6());
    NodeInfo {
        name: name(&container.names.unwrap_or_default()),
        image: container.image.unwrap_or_default(),
        labels: from_map(container.labels),
        state: state(container.state),
        address: networks
            .into_values()
            .find_map(|network| network.ip_address?.parse::<Ipv4Addr>().ok()),
        published_api: published.first().copied(),
    }
}

/// The name proper, of all that a container answers to: the one without a link's parent.
fn name(names: &[String]) -> String {
    names
        .iter()
        .filter_map(|name| name.strip_prefix('/'))
        .find(|name| !name.contains('/'))
        .unwrap_or_default()
        .to_owned()
}

fn state(state: Option<ContainerSummaryStateEnum>) -> NodeState {
    use ContainerSummaryStateEnum as State;
    match state {
        Some(State::RUNNING | State::RESTARTING | State::STOPPING) => NodeState::Running,
        Some(State::PAUSED) => NodeState::Paused,
        Some(State::CREATED) => NodeState::Created,
        Some(State::EXITED | State::DEAD | State::REMOVING | State::EMPTY) | None => {
            NodeState::Exited
        }
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::PortSummary;

    use super::*;
    use crate::engine::Labels;

    fn spec(privilege: Privilege, publish_api: Option<(IpAddr, u16)>) -> NodeSpec {
        NodeSpec {
            name: "a-control-plane".into(),
            image: "node:1".into(),
            network: "kcluster-a".into(),
            address: "10.89.7.10".parse().unwrap(),
            var_volume: "a-control-plane".into(),
            address6: None,
            mounts: Vec::new(),
            ports: Vec::new(),
            cpus: None,
            memory: None,
            publish_api,
            privilege,
            labels: Labels::from([("k".into(), "v".into())]),
        }
    }

    fn json(spec: &NodeSpec, host: &HostParts) -> serde_json::Value {
        serde_json::to_value(body(spec, host)).unwrap()
    }

    #[test]
    fn a_privileged_node_is_said_in_full() {
        let everything = HostParts {
            devices: vec!["/dev/kmsg", "/dev/fuse"],
            modules: true,
        };
        let loopback = Some((IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
        let body = json(&spec(Privilege::Privileged, loopback), &everything);
        assert_eq!(body["Hostname"], "a-control-plane");
        assert_eq!(body["ExposedPorts"]["6443/tcp"], serde_json::json!({}));
        let endpoint = &body["NetworkingConfig"]["EndpointsConfig"]["kcluster-a"];
        assert_eq!(endpoint["IPAMConfig"]["IPv4Address"], "10.89.7.10");
        let host = &body["HostConfig"];
        assert_eq!(host["Privileged"], true);
        assert_eq!(host["CgroupnsMode"], "private");
        assert_eq!(host["MaskedPaths"], serde_json::json!([]));
        assert_eq!(host["ReadonlyPaths"], serde_json::json!([]));
        assert_eq!(host["DeviceCgroupRules"][0], "a *:* rwm");
        assert_eq!(host["Devices"][1]["PathOnHost"], "/dev/fuse");
        assert_eq!(host["Mounts"][0]["VolumeOptions"]["NoCopy"], true);
        assert_eq!(host["Mounts"][1]["ReadOnly"], true);
        assert_eq!(host["Tmpfs"]["/run"], "rw,exec,nosuid,nodev,mode=755");
        let binding = &host["PortBindings"]["6443/tcp"][0];
        assert_eq!(binding["HostIp"], "127.0.0.1");
        assert_eq!(binding["HostPort"], "");
        for absent in [
            "CapAdd",
            "RestartPolicy",
            "PidsLimit",
            "OomScoreAdj",
            "AutoRemove",
        ] {
            assert!(host.get(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn capabilities_replace_privilege_and_nothing_is_published_unasked() {
        let list = Privilege::Capabilities(vec!["SYS_ADMIN".into()]);
        let body = json(&spec(list, None), &HostParts::default());
        assert_eq!(body["HostConfig"]["Privileged"], false);
        assert_eq!(body["HostConfig"]["CapAdd"][0], "SYS_ADMIN");
        assert_eq!(body["HostConfig"]["Devices"], serde_json::json!([]));
        assert!(body.get("ExposedPorts").is_none());
        assert!(body["HostConfig"].get("PortBindings").is_none());
    }

    #[test]
    fn a_listed_container_is_a_node() {
        let port = |ip: &str, private_port, public_port| PortSummary {
            ip: Some(ip.into()),
            private_port,
            public_port,
            typ: None,
        };
        let node = info(ContainerSummary {
            names: Some(vec!["/other/alias".into(), "/a-worker-1".into()]),
            state: Some(ContainerSummaryStateEnum::RUNNING),
            ports: Some(vec![
                port("127.0.0.1", 80, Some(8080)),
                port("::", 6443, Some(40001)),
                port("0.0.0.0", 6443, Some(40000)),
            ]),
            ..ContainerSummary::default()
        });
        assert_eq!(node.name, "a-worker-1");
        assert_eq!(node.state, NodeState::Running);
        assert_eq!(node.published_api.unwrap().1, 40000);
        assert_eq!(node.address, None);
    }
}
