//! Single lines of ginkgo's output.

use std::time::Duration;

use super::{Tally, seconds};

/// What ginkgo prints between blocks.
pub(super) const DELIMITER: &str = "------------------------------";

/// The first line of a block's verdict.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    /// How it ended.
    pub(super) verdict: Verdict,
    /// How long it took.
    pub(super) took: Duration,
    /// How often it was tried.
    pub(super) attempts: u32,
    /// Set for a node of the whole suite: its kind.
    pub(super) suite_node: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed,
    /// Interrupted or aborted, so nothing can be told.
    Errored,
    Skipped,
}

/// `• [FAILED] [0.001 seconds]`, `↺ [FLAKEY TEST - TOOK 2 ATTEMPTS TO PASS] [0.1 seconds]`,
/// `[SynchronizedBeforeSuite] PASSED [0.001 seconds]`, `P [PENDING]`, …
pub(super) fn header(line: &str) -> Option<Header> {
    let (mark, rest) = line.split_once(' ')?;
    let suite_node = mark
        .strip_prefix('[')
        .and_then(|mark| mark.strip_suffix(']'))
        .filter(|mark| mark.contains("Suite"));
    if suite_node.is_none() && !["•", "+", "↺", "R", "S", "P"].contains(&mark) {
        return None;
    }
    let took = rest
        .strip_suffix(" seconds]")
        .and_then(|rest| rest.rsplit_once('['))
        .and_then(|(_, number)| seconds(number));
    let state = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => rest.split_whitespace().next().unwrap_or(""),
    };
    let attempts = state
        .strip_prefix("FLAKEY TEST - TOOK ")
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|count| count.parse().ok());
    let verdict = match state {
        "PASSED" => Verdict::Passed,
        "FAILED" | "PANICKED" | "TIMEDOUT" => Verdict::Failed,
        "INTERRUPTED" | "ABORTED" => Verdict::Errored,
        "PENDING" | "SKIPPED" => Verdict::Skipped,
        _ if attempts.is_some() => Verdict::Passed,
        // A spec that passed: the time follows the mark.
        _ if state.ends_with(" seconds") && suite_node.is_none() => Verdict::Passed,
        _ => return None,
    };
    if took.is_none() && verdict != Verdict::Skipped {
        return None;
    }
    Some(Header {
        verdict,
        took: took.unwrap_or_default(),
        attempts: attempts.unwrap_or(1),
        suite_node: suite_node.map(str::to_owned),
    })
}

/// The kinds of node that ginkgo puts beside the text of what failed.
const NODES: [&str; 9] = [
    "It",
    "BeforeEach",
    "JustBeforeEach",
    "AfterEach",
    "JustAfterEach",
    "BeforeAll",
    "AfterAll",
    "DeferCleanup (Each)",
    "DeferCleanup (All)",
];

/// The spec a line names: its name as it is, with the labels in brackets after it, or, if it
/// failed, with the kind of the node that failed beside one of its parts.
pub(super) fn name(line: &str, known: impl Fn(&str) -> bool) -> Option<String> {
    let top = line
        .strip_prefix("TOP-LEVEL [")
        .and_then(|rest| rest.split_once("] "))
        .map_or(line, |(_, rest)| rest);
    let candidates = [Some(top), without_labels(top)];
    let candidates: Vec<&str> = candidates.into_iter().flatten().collect();
    if let Some(found) = candidates.iter().find(|name| known(name)) {
        return Some((*found).to_owned());
    }
    for kind in NODES {
        for mark in [
            format!(" [{kind}] "),
            format!(" [{kind}]"),
            format!("[{kind}] "),
        ] {
            for candidate in &candidates {
                for (at, _) in candidate.match_indices(&mark) {
                    let (before, after) = (&candidate[..at], &candidate[at + mark.len()..]);
                    let space = if before.is_empty() || after.is_empty() {
                        ""
                    } else {
                        " "
                    };
                    let name = format!("{before}{space}{after}");
                    if known(&name) {
                        return Some(name);
                    }
                }
            }
        }
    }
    None
}

fn without_labels(line: &str) -> Option<&str> {
    let rest = line.strip_suffix(']')?;
    Some(rest.rsplit_once(" [")?.0)
}

/// The failure at the end of a block: from `[FAILED] …` to where it was.
pub(super) fn message(body: &str) -> String {
    let states = [
        "[FAILED] ",
        "[PANICKED] ",
        "[TIMEDOUT] ",
        "[INTERRUPTED] ",
        "[ABORTED] ",
        "[SKIPPED] ",
    ];
    let mut message: Vec<&str> = Vec::new();
    let mut inside = false;
    for line in body.lines() {
        let start = states.iter().find_map(|state| line.strip_prefix(state));
        if let Some(start) = start.filter(|start| !start.starts_with("in [")) {
            message = vec![start];
            inside = true;
        } else if inside && (line.starts_with("In [") || line.starts_with("This is the Progress")) {
            inside = false;
        } else if inside || (message == ["Test Panicked"] && !line.trim().is_empty()) {
            // What was panicked with follows after the place.
            message.push(line);
        }
    }
    message.join("\n").trim_end().to_owned()
}

/// `Will run 9 of 12 specs`.
pub(super) fn announced(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("Will run ")?.strip_suffix(" specs")?;
    rest.split_once(" of ")?.0.parse().ok()
}

/// `FAIL! - Interrupted by User -- 2 Passed | 4 Failed | 1 Flaked | 1 Pending | 5 Skipped`.
pub(super) fn tally(line: &str) -> Option<Tally> {
    if !line.starts_with("SUCCESS!") && !line.starts_with("FAIL!") {
        return None;
    }
    let mut tally = Tally::default();
    for part in line.rsplit_once(" -- ")?.1.split(" | ") {
        let (count, what) = part.trim().split_once(' ')?;
        let count = count.parse().ok()?;
        match what {
            "Passed" => tally.passed = count,
            "Failed" => tally.failed = count,
            "Flaked" => tally.flaked = count,
            "Skipped" => tally.skipped = count,
            _ => {}
        }
    }
    Some(tally)
}

/// `  Progress Report for Ginkgo Process #2`.
pub(super) fn report_process(line: &str) -> Option<usize> {
    line.strip_prefix("  Progress Report for Ginkgo Process #")?
        .parse()
        .ok()
}

/// `    [sig-network] Services hangs (Spec Runtime: 1.002s)`.
pub(super) fn report_name(line: &str, known: impl Fn(&str) -> bool) -> Option<String> {
    let (text, _) = line.trim_start().rsplit_once(" (Spec Runtime: ")?;
    name(text, known)
}
