//! The CNI configuration of plugins that are part of each node.

use ipnet::IpNet;
use kcluster_matrix::{Cni, ProxyMode};
use serde_json::{Value, json};

/// Where it goes.
pub(crate) const PATH: &str = "/etc/cni/net.d/10-kcluster.conflist";

/// What VXLAN's own header leaves of an ordinary frame.
const VXLAN_MTU: u16 = 1450;

/// The configuration of one node, if the plugin is ours. Nothing masquerades here:
/// pods talk to each other with their own addresses, and what leaves the cluster is
/// translated by the node's first process.
pub(crate) fn conflist(cni: Cni, pods: &[IpNet], proxy: ProxyMode) -> Option<Value> {
    let ipam = json!({
        "type": "host-local",
        "ranges": pods.iter().map(|subnet| json!([{ "subnet": subnet }])).collect::<Vec<_>>(),
        "routes": pods.iter().map(|subnet| json!({ "dst": everything(subnet) })).collect::<Vec<_>>(),
    });
    let main = match cni {
        Cni::Bridge => json!({
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": true,
            "hairpinMode": true,
            "ipam": ipam,
        }),
        // flannel has its plugin make a bridge too, with what this says.
        Cni::Flannel | Cni::FlannelHostGw => {
            let mut bridge = json!({
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                "hairpinMode": true,
                "ipam": ipam,
            });
            if cni == Cni::Flannel {
                bridge["mtu"] = json!(VXLAN_MTU);
            }
            bridge
        }
        Cni::Ptp => json!({ "type": "ptp", "ipam": ipam }),
        Cni::None => return None,
    };
    Some(json!({
        "cniVersion": "1.0.0",
        "name": "kcluster",
        "plugins": [
            main,
            {
                "type": "portmap",
                "capabilities": { "portMappings": true },
                "snat": true,
                // The same rules engine as kube-proxy's, so that one look shows all.
                "backend": proxy.as_str(),
            },
        ],
    }))
}

fn everything(like: &IpNet) -> &'static str {
    match like {
        IpNet::V4(_) => "0.0.0.0/0",
        IpNet::V6(_) => "::/0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_get_their_nodes_addresses() {
        let pods = ["10.244.3.0/24", "fd00:10:244:3::/64"].map(|net| net.parse().unwrap());
        for cni in Cni::ALL {
            let Some(config) = conflist(cni, &pods, ProxyMode::Nftables) else {
                assert!(!cni.networked());
                continue;
            };
            let main = &config["plugins"][0];
            let kind = if cni.is_flannel() {
                "bridge"
            } else {
                cni.as_str()
            };
            assert_eq!(main["type"], kind);
            assert_eq!(main["mtu"].is_u64(), cni == Cni::Flannel);
            assert_eq!(main["ipam"]["ranges"][0][0]["subnet"], "10.244.3.0/24");
            assert_eq!(main["ipam"]["ranges"][1][0]["subnet"], "fd00:10:244:3::/64");
            assert_eq!(main["ipam"]["routes"][1]["dst"], "::/0");
            assert_eq!(config["plugins"][1]["backend"], "nftables");
        }
    }
}
