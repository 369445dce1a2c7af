//! Settings as the repository shows them, and the schema that they have to keep to.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jsonschema::Validator;

use crate::Kcluster;

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// The schema that `config schema` prints.
pub struct SettingsSchema(Validator);

impl SettingsSchema {
    /// Asks the binary for it.
    ///
    /// # Errors
    /// When it prints none, or none that is a schema.
    pub fn of(kcluster: &Kcluster) -> Result<Self> {
        let printed = kcluster.run(&["config", "schema"])?.expect_code(0)?.stdout;
        let schema = serde_json::from_str(&printed)?;
        Ok(Self(jsonschema::validator_for(&schema)?))
    }

    /// Checks a file, or `[workspace.metadata.kcluster]` of a manifest.
    ///
    /// # Errors
    /// With everything that does not fit.
    pub fn expect(&self, text: &str) -> Result<()> {
        let mut table: toml::Table = text.parse().with_context(|| text.to_owned())?;
        if table.contains_key("workspace") {
            for name in ["workspace", "metadata", "kcluster"] {
                table = match table.remove(name) {
                    Some(toml::Value::Table(inner)) => inner,
                    _ => bail!("no [workspace.metadata.kcluster] in\n{text}"),
                };
            }
        }
        let value = serde_json::to_value(table)?;
        let errors = self.0.iter_errors(&value);
        let errors: Vec<String> = errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        if !errors.is_empty() {
            bail!("{}\nin\n{text}", errors.join("\n"));
        }
        Ok(())
    }
}

/// Every example of settings in the repository: where it stands, and its text.
///
/// # Errors
/// When a page cannot be read.
pub fn examples() -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let shown = path.strip_prefix(root()).unwrap_or(&path).display();
            let inside = folder.ends_with(".github");
            if path.is_dir() {
                let others = ["target", ".git", "node_modules", "workflows"];
                if !others.contains(&name.as_ref()) {
                    folders.push(path);
                }
            } else if name == "kcluster.toml" || inside && name.ends_with(".toml") {
                found.push((shown.to_string(), fs_err::read_to_string(&path)?));
            } else if name.ends_with(".md") {
                let text = fs_err::read_to_string(&path)?;
                let blocks = blocks(&text).into_iter().filter(|block| block.is("toml"));
                found.extend(blocks.map(|block| (format!("{shown}:{}", block.line), block.text)));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A fenced block of a Markdown page.
#[derive(Debug, Clone)]
pub struct Block {
    /// The line it begins on.
    pub line: usize,
    /// What stands behind the fence: the language, then marks.
    pub marks: Vec<String>,
    /// What is in it.
    pub text: String,
}

impl Block {
    /// Whether it carries this mark.
    #[must_use]
    pub fn is(&self, mark: &str) -> bool {
        self.marks.iter().any(|known| known == mark)
    }
}

/// The fenced blocks of a page.
#[must_use]
pub fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (line, number) in page.lines().zip(1..) {
        match line.trim_start().strip_prefix("```") {
            Some(_) if open => open = false,
            Some(marks) => {
                open = true;
                let marks = marks.split([',', ' ']).filter(|mark| !mark.is_empty());
                found.push(Block {
                    line: number,
                    marks: marks.map(str::to_owned).collect(),
                    text: String::new(),
                });
            }
            None => {
                if let Some(block) = found.last_mut().filter(|_| open) {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
            }
        }
    }
    found
}
