//! The book: pages written by hand in `pages`, and a reference made from the command line and the table of keys, so
//! that neither can be behind the program. mdBook makes HTML of it; a warning of its is an error here.

mod commands;
mod keys;
mod outside;
mod words;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use mdbook_driver::MDBook;
use tracing::Level;

/// Where the pages for each command go in the table of contents.
const COMMANDS: &str = "<!-- commands -->";

/// What a page says where the settings of a file are completed and checked by an editor.
const SCHEMA: &str = "kcluster.schema.json";

fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Makes the book in `out`, whose content is replaced.
///
/// # Errors
/// When a page is missing, or mdBook has anything to complain about.
pub fn build(out: &Path) -> Result<()> {
    let stage = tempfile::tempdir()?;
    write_sources(stage.path())?;
    let out = std::path::absolute(out)?;
    let complaints = Complaints::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::WARN)
        .with_ansi(false)
        .without_time()
        .with_writer({
            let complaints = complaints.clone();
            move || complaints.clone()
        })
        .finish();
    let result = tracing::subscriber::with_default(subscriber, || {
        let mut book = MDBook::load(stage.path())?;
        book.config.build.build_dir = out;
        book.build()
    });
    let told = complaints.text();
    result.with_context(|| told.clone())?;
    if !told.is_empty() {
        bail!("the book is not as it should be:\n{told}");
    }
    Ok(())
}

/// Writes everything that mdBook reads: its settings, pages by hand, pages made here, pages of the repository.
///
/// # Errors
/// When a page cannot be read or written.
pub fn write_sources(folder: &Path) -> Result<()> {
    let (root, pages) = (root(), folder.join("src"));
    fs_err::copy(root.join("book/book.toml"), folder.join("book.toml"))?;
    copy(&root.join("book/pages"), &pages)?;
    fs_err::create_dir_all(pages.join("commands"))?;
    let mut contents = String::new();
    for page in commands::pages() {
        let file = format!("commands/{}.md", page.name);
        contents.push_str(&format!("  - [{}]({file})\n", page.name));
        fs_err::write(pages.join(file), page.text)?;
    }
    fs_err::write(pages.join("commands.md"), commands::overview())?;
    fs_err::write(pages.join("keys.md"), keys::page())?;
    let schema = serde_json::to_string_pretty(&cargo_kcluster::config::schema())?;
    fs_err::write(pages.join(SCHEMA), schema)?;
    for (from, to) in outside::PAGES {
        let text = fs_err::read_to_string(root.join(from))?;
        fs_err::write(pages.join(to), outside::as_page(&text, from))?;
    }
    for (from, to) in outside::PICTURES {
        fs_err::copy(root.join(from), pages.join(to))?;
    }
    let summary = pages.join("SUMMARY.md");
    let text = fs_err::read_to_string(&summary)?;
    if !text.contains(COMMANDS) {
        bail!("SUMMARY.md has no place for the commands");
    }
    fs_err::write(&summary, text.replace(&format!("{COMMANDS}\n"), &contents))?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs_err::create_dir_all(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs_err::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// What mdBook warns of.
#[derive(Debug, Clone, Default)]
struct Complaints(Arc<Mutex<Vec<u8>>>);

impl Complaints {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Complaints {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
