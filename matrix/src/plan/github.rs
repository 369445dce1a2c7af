//! The plan as jobs of GitHub's `strategy.matrix`.

use serde::Serialize;
use thiserror::Error;

use super::plan_value::{Plan, PlannedCell};

/// Jobs that one matrix of a workflow may have.
pub const MOST_JOBS: usize = 256;

/// Bytes that the JSON may have: an output of a job may be 1 MiB, and GitHub counts UTF-16.
pub const MOST_BYTES: usize = 500_000;

/// One job. Every value is made of letters, digits, `.`, `-`, `,`, `/` and spaces only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    /// Its number from 0, to name what it leaves by.
    pub index: usize,
    /// What it is called on the workflow's page.
    pub name: String,
    /// Ids of its cells, joined by commas.
    pub cells: String,
    /// Its suites, joined by commas.
    pub suites: String,
    /// The part of the suites' specs, such as `2/4`; empty for all.
    pub shard: String,
    /// What `cargo kcluster matrix run` is given for it.
    pub args: String,
    /// Versions, to key caches by, joined by commas.
    pub kubernetes: String,
    /// Architectures, joined by commas.
    pub arch: String,
    /// Seconds it is expected to take.
    pub seconds: u64,
}

/// What `strategy.matrix` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jobs {
    /// The jobs.
    pub include: Vec<Job>,
}

/// Why there is no such matrix.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GithubError {
    /// GitHub refuses a matrix without jobs.
    #[error("no cell is left to run, and GitHub refuses a matrix without jobs")]
    Empty,
    /// The text is longer than GitHub takes.
    #[error(
        "the jobs take {bytes} bytes and GitHub takes {MOST_BYTES}; use fewer cells, or run parts with --shard"
    )]
    Size {
        /// Bytes it would have.
        bytes: usize,
    },
    /// The jobs cannot be written down.
    #[error("the jobs cannot be written as JSON: {0}")]
    Json(String),
}

/// The jobs: one for each cell, and one for each part of a suite with shards. Where that is more than `most`, suites
/// are not divided; where it still is, jobs take several cells.
///
/// # Errors
/// When there is nothing to run, or too much to say.
pub fn jobs(plan: &Plan, most: usize) -> Result<Jobs, GithubError> {
    let most = most.clamp(1, MOST_JOBS);
    if plan.cells.is_empty() {
        return Err(GithubError::Empty);
    }
    let mut include: Vec<Job> = plan
        .cells
        .iter()
        .flat_map(|cell| divided(plan, cell))
        .collect();
    if include.len() > most {
        include = packed(plan, most);
    }
    for (index, job) in include.iter_mut().enumerate() {
        job.index = index;
    }
    let jobs = Jobs { include };
    let bytes = jobs.to_json()?.len();
    if bytes > MOST_BYTES {
        return Err(GithubError::Size { bytes });
    }
    Ok(jobs)
}

impl Jobs {
    /// The JSON, on one line as `$GITHUB_OUTPUT` wants it.
    ///
    /// # Errors
    /// When a value cannot be JSON, which none here is.
    pub fn to_json(&self) -> Result<String, GithubError> {
        serde_json::to_string(self).map_err(|error| GithubError::Json(error.to_string()))
    }
}

fn divided(plan: &Plan, cell: &PlannedCell) -> Vec<Job> {
    let shards = |suite: &String| {
        let suite = plan.suites.get(suite)?;
        suite
            .shards
            .filter(|count| *count > 1 && suite.run.is_empty())
    };
    let (cut, whole): (Vec<&String>, Vec<&String>) = cell
        .suites
        .iter()
        .partition(|suite| shards(suite).is_some());
    let mut jobs = Vec::new();
    if !whole.is_empty() || cut.is_empty() {
        jobs.push(job(&[cell], &whole, None));
    }
    for suite in cut {
        let count = shards(suite).unwrap_or(1).min(MOST_JOBS);
        jobs.extend((1..=count).map(|index| job(&[cell], &[suite], Some((index, count)))));
    }
    jobs
}

fn packed(plan: &Plan, most: usize) -> Vec<Job> {
    let parts = plan.parts(most);
    (1..=most)
        .filter_map(|part| {
            let mine = plan.cells.iter().zip(&parts).filter(|(_, of)| **of == part);
            let cells: Vec<&PlannedCell> = mine.map(|(cell, _)| cell).collect();
            (!cells.is_empty()).then(|| job(&cells, &[], None))
        })
        .collect()
}

/// A job for these cells; without suites, for all that each has.
fn job(cells: &[&PlannedCell], suites: &[&String], shard: Option<(usize, usize)>) -> Job {
    let ids: Vec<&str> = cells.iter().map(|cell| cell.id.as_str()).collect();
    let all = cells.iter().all(|cell| suites.len() == cell.suites.len());
    let names = match (suites, cells) {
        ([], [cell]) => cell.suites.join(","),
        (suites, _) => suites
            .iter()
            .map(|name| name.as_str())
            .collect::<Vec<_>>()
            .join(","),
    };
    let shard = shard.map_or_else(String::new, |(index, count)| format!("{index}/{count}"));
    let mut args: Vec<String> = ids.iter().map(|id| format!("--cell {id}")).collect();
    if !suites.is_empty() && !all {
        args.extend(suites.iter().map(|name| format!("--suite {name}")));
    }
    let mut name = match ids[..] {
        [first, _, ..] => format!("{first} and {} more", ids.len() - 1),
        _ => ids.join(""),
    };
    if !suites.is_empty() && !all {
        name = format!("{name} {names}");
    }
    if !shard.is_empty() {
        args.push(format!("--spec-shard {shard}"));
        name = format!("{name} {shard}");
    }
    let parts = shard
        .split_once('/')
        .and_then(|(_, count)| count.parse().ok());
    let seconds: u64 = cells.iter().map(|cell| cell.estimate.seconds).sum();
    Job {
        index: 0,
        name,
        cells: ids.join(","),
        suites: names,
        shard,
        args: args.join(" "),
        kubernetes: distinct(cells.iter().map(|cell| cell.cell.kubernetes.to_string())),
        arch: distinct(cells.iter().map(|cell| cell.cell.arch.to_string())),
        seconds: seconds / parts.unwrap_or(1),
    }
}

fn distinct(values: impl Iterator<Item = String>) -> String {
    let mut values: Vec<String> = values.collect();
    values.sort();
    values.dedup();
    values.join(",")
}
