//! Searches for the first bad commit, as tests begin them.

use std::path::Path;

use anyhow::{Context as _, Result};

/// The arguments of a search among the commits of a repository, with `more` after them.
///
/// # Errors
/// When the path is no text.
pub fn search<'a>(
    repository: &'a Path,
    (good, bad): (&'a str, &'a str),
    more: &[&'a str],
) -> Result<Vec<&'a str>> {
    let repository = repository.to_str().context("the path is no text")?;
    let mut args = vec!["bisect", "--source", "git", "--source-git", repository];
    args.extend(["--good", good, "--bad", bad]);
    args.extend(more);
    Ok(args)
}
