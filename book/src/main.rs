//! `cargo run -p kcluster-book -- FOLDER`: the book as HTML pages.

use std::path::PathBuf;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    kcluster_book::build(&folder.context("usage: kcluster-book FOLDER")?)
}
