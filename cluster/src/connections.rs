//! TCP connections of pods, as a node's kernel tells them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::engine::ExecSpec;

/// An open connection: its socket lives as long as it does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Connection {
    pub(crate) node: String,
    /// The quality of service of the pod it belongs to.
    pub(crate) class: String,
    /// The socket's number in the kernel.
    pub(crate) socket: u64,
}

/// For each process of a pod: its control group, its sockets, and the connections it can see.
const SCRIPT: &str = "for p in /proc/[0-9]*; do \
    g=$(grep -m1 -o '/kubepods.*' $p/cgroup) || continue; \
    echo \"P $g\"; ls -l $p/fd | grep -o 'socket:.*'; cat $p/net/tcp $p/net/tcp6; \
    done 2>/dev/null; true";

/// The command that lists them.
pub(crate) fn listing() -> ExecSpec {
    ExecSpec::new(["sh", "-c", SCRIPT])
}

/// What [`listing`] printed on `node`.
pub(crate) fn parse(node: &str, printed: &str) -> BTreeSet<Connection> {
    // The kernel's number of an established connection.
    const ESTABLISHED: &str = "01";
    let mut found = BTreeSet::new();
    for process in printed.split("P /kubepods").skip(1) {
        let mut lines = process.lines();
        let Some(group) = lines.next() else { continue };
        let class = match group.split('/').nth(1) {
            Some("besteffort") => "BestEffort",
            Some("burstable") => "Burstable",
            _ => "Guaranteed",
        };
        let (mut own, mut open) = (BTreeSet::new(), BTreeSet::new());
        for line in lines {
            if let Some(socket) = line.strip_prefix("socket:[") {
                own.extend(socket.trim_end_matches(']').parse::<u64>().ok());
                continue;
            }
            // number, local address, remote address, state, …, the socket at the tenth place.
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields.get(3) == Some(&ESTABLISHED) {
                open.extend(fields.get(9).and_then(|text| text.parse::<u64>().ok()));
            }
        }
        found.extend(own.intersection(&open).map(|socket| Connection {
            node: node.to_owned(),
            class: class.to_owned(),
            socket: *socket,
        }));
    }
    found
}

/// By class, how many there were and how many of them are gone; of nodes that told both times.
pub(crate) fn lost(
    before: &BTreeSet<Connection>,
    after: &BTreeMap<String, BTreeSet<Connection>>,
) -> BTreeMap<String, (usize, usize)> {
    let mut classes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for connection in before {
        if let Some(now) = after.get(&connection.node) {
            let (open, lost) = classes.entry(connection.class.clone()).or_default();
            *open += 1;
            *lost += usize::from(!now.contains(connection));
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(state: &str, socket: u64) -> String {
        format!(
            "   0: 0A00A8C0:1F90 0B00A8C0:9C40 {state} 00000000:00000000 00:00000000 00000000     0        0 {socket} 1 0 20 4 0 10 -1\n"
        )
    }

    #[test]
    fn a_connection_belongs_to_the_process_that_holds_its_socket() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
        // Processes of one pod see each other's connections.
        let seen = format!("{head}{}{}{}", line("01", 7), line("01", 8), line("0A", 9));
        let printed = format!(
            "P /kubepods/burstable/podx/1\nsocket:[7]\nsocket:[9]\n{seen}P /kubepods/podg/2\nsocket:[8]\n{seen}\
             P /kubepods/besteffort/podb/3\n{seen}"
        );
        let found = parse("a", &printed);
        let told: Vec<(&str, u64)> = found
            .iter()
            .map(|one| (one.class.as_str(), one.socket))
            .collect();
        assert_eq!(told, [("Burstable", 7), ("Guaranteed", 8)]);

        let now = parse("a", &printed.replace("socket:[8]", "socket:[80]"));
        let after = BTreeMap::from([("a".to_owned(), now)]);
        let classes = lost(&found, &after);
        assert_eq!(classes["Burstable"], (1, 0));
        assert_eq!(classes["Guaranteed"], (1, 1));
        assert!(lost(&found, &BTreeMap::new()).is_empty());
    }
}
