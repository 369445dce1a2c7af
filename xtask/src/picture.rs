//! `cargo xtask picture`: what kcluster prints when it boots a cell and tests it, as the
//! picture that opens the README. Nothing in it is typed by hand.

use std::fmt::Write as _;
use std::process::Stdio;

use anyhow::{Context, Result};

use crate::run::{check, kcluster, root};
use crate::setup;

const NAME: &str = "picture";
const LINE: usize = 18;
const COLUMN: f64 = 8.4;

/// Runs the main job and draws what it printed.
pub(crate) fn run() -> Result<()> {
    setup::run()?;
    let mut lines = Vec::new();
    let shown = (|| {
        capture(&mut lines, &["up", "--name", NAME, "--nodes", "1"])?;
        capture(&mut lines, &["nodes", "--name", NAME])?;
        capture(
            &mut lines,
            &["e2e", "Services should serve", "--name", NAME],
        )
    })();
    check(&mut kcluster(["down", "--name", NAME]))?;
    shown?;
    fs_err::write(root().join("docs/demo.svg"), svg(&lines))?;
    Ok(())
}

/// Runs a command and adds it and what it printed to `lines`.
fn capture(lines: &mut Vec<String>, args: &[&str]) -> Result<()> {
    let words: Vec<String> = args
        .iter()
        .map(|arg| {
            if arg.contains(' ') {
                format!("'{arg}'")
            } else {
                (*arg).to_owned()
            }
        })
        .collect();
    lines.push(format!("$ cargo kcluster {}", words.join(" ")));
    let output = kcluster(args)
        .env("CI", "true")
        .env("KCLUSTER_EGRESS", "closed")
        .env("KCLUSTER_REPORT_DIR", root().join("target/picture"))
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("failed to start {args:?}"))?;
    for text in [&output.stderr, &output.stdout] {
        lines.extend(String::from_utf8_lossy(text).lines().map(str::to_owned));
    }
    lines.push(String::new());
    anyhow::ensure!(
        output.status.success(),
        "{args:?} failed:\n{}",
        lines.join("\n")
    );
    Ok(())
}

fn svg(lines: &[String]) -> String {
    let widest = lines
        .iter()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0);
    let width = widest as f64 * COLUMN + 32.0;
    let height = (lines.len() + 2) * LINE;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height}\" font-family=\"monospace\" font-size=\"14\">\n\
         <title>kcluster boots a two-node cluster and runs conformance specs against it</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#15191e\"/>\n"
    );
    for (line, row) in lines.iter().zip(1usize..) {
        let colour = if line.starts_with('$') {
            "#7fd7ff"
        } else if line.contains('✓') || line.starts_with("passed") {
            "#8fd694"
        } else {
            "#d5d9de"
        };
        let escaped = line.replace('&', "&amp;").replace('<', "&lt;");
        let y = (row + 1) * LINE;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "<text x=\"16\" y=\"{y}\" fill=\"{colour}\" xml:space=\"preserve\">{escaped}</text>"
        );
    }
    text.push_str("</svg>\n");
    text
}
