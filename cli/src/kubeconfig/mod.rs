//! A cluster's context in the user's own kubeconfig: put in by `up --merge-context`, taken out by `down`.
//!
//! What was put where is written down beside the clusters' state, not in it: a cluster's folder comes and goes
//! with restores and failed boots, and what is in the user's file has to be found again after those.

mod document;
mod edit;
mod file;
#[cfg(test)]
mod tests;

use std::io::ErrorKind;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use kcluster_matrix::ClusterName;
use serde::{Deserialize, Serialize};

use crate::config::{Host, Settings};
use crate::error::Told;
use file::{Locked, PATIENCE};

/// What was put into a file of the user's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    file: Utf8PathBuf,
    /// Whether the file was not there before.
    made: bool,
    /// The current context as it was written before; none where there was none.
    previous: Option<String>,
    /// The entry of our cluster: what is another's by now is not ours to remove.
    cluster: yaml_serde::Value,
}

/// The file that kubectl would write a new context into.
///
/// kcluster's own files of single clusters are passed over: `export KUBECONFIG=$(cargo kcluster kubeconfig)` must not make
/// one cluster's file hold another.
fn location(settings: &Settings, host: &Host) -> anyhow::Result<Utf8PathBuf> {
    let list = host.variable("KUBECONFIG").unwrap_or_default();
    let files: Vec<Utf8PathBuf> = list
        .split(':')
        .filter(|file| !file.is_empty())
        .map(|file| host.folder.join(file))
        .filter(|file| !file.starts_with(settings.state_dir.join("clusters")))
        .collect();
    let there = files.iter().find(|file| file.exists());
    if let Some(file) = there.or(files.last()) {
        return Ok(file.clone());
    }
    let home = host.variable("HOME").ok_or_else(|| {
        Told::input("neither KUBECONFIG nor HOME says where your kubeconfig is")
            .help("set KUBECONFIG, or leave --merge-context away")
    })?;
    Ok(host.folder.join(home).join(".kube/config"))
}

fn memory_of(settings: &Settings, name: &ClusterName) -> Utf8PathBuf {
    let folder = settings.state_dir.join("contexts");
    folder.join(format!("{name}.json"))
}

fn recall(path: &Utf8Path) -> anyhow::Result<Option<Memory>> {
    match fs_err::read(path) {
        Ok(text) => Ok(Some(
            serde_json::from_slice(&text).with_context(|| format!("{path} is damaged"))?,
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The name of the context, the cluster and the user.
fn context_of(name: &ClusterName) -> String {
    format!("kcluster-{name}")
}

/// Refuses a file that could not be changed, before there is a cluster to put into it.
pub(crate) fn check(settings: &Settings, host: &Host) -> anyhow::Result<()> {
    if !settings.merge_context {
        return Ok(());
    }
    let file = match recall(&memory_of(settings, &settings.name))? {
        Some(memory) => memory.file,
        None => location(settings, host)?,
    };
    let text = match fs_err::read_to_string(&file) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        text => text.with_context(|| refused(&file))?,
    };
    let name = context_of(&settings.name);
    let ours = edit::value(&sample(&name)).map_err(anyhow::Error::msg)?;
    edit::with(&text, &ours, &name).map_err(|reason| unfit(&file, &reason))?;
    Ok(())
}

fn refused(file: &Utf8Path) -> String {
    format!("your kubeconfig {file} cannot take the context")
}

fn unfit(file: &Utf8Path, reason: &str) -> Told {
    Told::input(format!("{}: {reason}", refused(file)))
        .help("leave --merge-context away and use `cargo kcluster kubeconfig`, or name another file in KUBECONFIG")
}

/// A kubeconfig like the one there will be.
fn sample(name: &str) -> String {
    let mut text = String::from("current-context: x\n");
    for (list, field) in edit::LISTS {
        text.push_str(&format!(
            "{list}:\n- name: {name}\n  {field}: {{ cluster: {name}, user: {name} }}\n"
        ));
    }
    text
}

/// Puts the cluster into the user's file if that is wanted. The answer is the file, if it was changed.
pub(crate) fn merge(settings: &Settings, host: &Host) -> anyhow::Result<Option<Utf8PathBuf>> {
    put(settings, host, settings.merge_context)
}

/// Makes what is in the user's file right again: the cluster's server and keys may be others by now.
pub(crate) fn refresh(settings: &Settings, host: &Host) -> anyhow::Result<()> {
    put(settings, host, false).map(drop)
}

fn put(settings: &Settings, host: &Host, wanted: bool) -> anyhow::Result<Option<Utf8PathBuf>> {
    let remembered = memory_of(settings, &settings.name);
    let memory = recall(&remembered)?;
    if memory.is_none() && !wanted {
        return Ok(None);
    }
    let file = match &memory {
        Some(memory) => memory.file.clone(),
        None => location(settings, host)?,
    };
    let ours = fs_err::read_to_string(settings.kubeconfig())?;
    let ours = edit::value(&ours).map_err(anyhow::Error::msg)?;
    let name = context_of(&settings.name);
    let locked = Locked::wait(&file, PATIENCE).with_context(|| refused(&file))?;
    let old = locked.read().with_context(|| refused(&file))?;
    let text = old.clone().unwrap_or_default();
    let new = edit::with(&text, &ours, &name).map_err(|reason| unfit(&file, &reason))?;
    let cluster = edit::entry(&ours, "clusters", &name).cloned();
    // Where the user took the context out meanwhile, it is put in as for the first time.
    let content = edit::value(&text).map_err(anyhow::Error::msg)?;
    let there = edit::entry(&content, "contexts", &name).is_some();
    let known = memory.filter(|_| there);
    let now = edit::current(&text).map_err(anyhow::Error::msg)?;
    let memory = Memory {
        made: known.as_ref().map_or(old.is_none(), |memory| memory.made),
        previous: known.map_or(now, |memory| memory.previous),
        cluster: cluster.unwrap_or_default(),
        file,
    };
    // First, so that what a kill leaves in the file is found again.
    write(&remembered, &serde_json::to_vec_pretty(&memory)?)?;
    if old.as_ref() == Some(&new) {
        return Ok(None);
    }
    locked
        .replace(&new)
        .with_context(|| refused(&memory.file))?;
    Ok(Some(memory.file))
}

/// Takes the cluster out of the user's file again. The answer is the file, if it was changed.
pub(crate) fn remove(
    settings: &Settings,
    name: &ClusterName,
) -> anyhow::Result<Option<Utf8PathBuf>> {
    let remembered = memory_of(settings, name);
    let Some(memory) = recall(&remembered)? else {
        return Ok(None);
    };
    let file = &memory.file;
    let failed = || format!("the context of cluster `{name}` is still in your kubeconfig {file}");
    let changed = if file.parent().is_some_and(Utf8Path::exists) {
        let locked = Locked::wait(file, PATIENCE).with_context(failed)?;
        match locked.read().with_context(failed)? {
            None => false,
            Some(text) => take_out(&locked, &text, &memory, name).with_context(failed)?,
        }
    } else {
        false
    };
    fs_err::remove_file(&remembered)?;
    Ok(changed.then(|| file.clone()))
}

fn take_out(
    locked: &Locked,
    text: &str,
    memory: &Memory,
    name: &ClusterName,
) -> anyhow::Result<bool> {
    let context = context_of(name);
    let content = edit::value(text).map_err(anyhow::Error::msg)?;
    if edit::entry(&content, "clusters", &context) != Some(&memory.cluster) {
        return Ok(false);
    }
    let new = edit::without(text, &context, memory.previous.as_deref());
    let new = new.map_err(anyhow::Error::msg)?;
    let left = edit::value(&new).map_err(anyhow::Error::msg)?;
    let empty = |list: &str| left[list].as_sequence().is_none_or(Vec::is_empty);
    if memory.made && edit::LISTS.iter().all(|(list, _)| empty(list)) {
        locked.remove()?;
    } else {
        locked.replace(&new)?;
    }
    Ok(true)
}

/// Takes all clusters out of the user's files.
pub(crate) fn remove_all(settings: &Settings) -> anyhow::Result<Vec<Utf8PathBuf>> {
    let entries = match settings.state_dir.join("contexts").read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut changed = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.path().file_stem().and_then(|name| name.parse().ok());
        if let Some(name) = name {
            changed.extend(remove(settings, &name)?);
        }
    }
    Ok(changed)
}

/// Writes a file of the state, whole or not at all, for its owner alone.
fn write(path: &Utf8Path, text: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().context("a file without a folder")?;
    fs_err::create_dir_all(folder)?;
    let part = tempfile::NamedTempFile::new_in(folder)?;
    fs_err::write(part.path(), text)?;
    part.persist(path)?;
    Ok(())
}
