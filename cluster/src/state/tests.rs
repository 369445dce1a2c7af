//! Locks, privacy, and what is read back.

use super::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_lock_is_exclusive_and_names_its_holder() {
    let root = tempfile::tempdir().unwrap();
    let cluster = StateDir::new(root.path()).cluster(&"a".parse().unwrap());
    let lock = cluster.lock().unwrap();
    let message = cluster.lock().unwrap_err().to_string();
    assert!(
        message.contains(&std::process::id().to_string()),
        "{message}"
    );
    cluster.remove().unwrap();
    // The folder is gone, so the old lock guards nothing any more.
    let again = cluster.lock().unwrap();
    drop(lock);
    assert!(cluster.lock().is_err());
    drop(again);
    cluster.lock().unwrap();
}

#[test]
fn files_are_private_and_listed() {
    let root = tempfile::tempdir().unwrap();
    let state = StateDir::new(root.path());
    assert!(state.clusters().unwrap().is_empty());
    let cluster = state.cluster(&"a".parse().unwrap());
    let _lock = cluster.lock().unwrap();
    cluster.write_kubeconfig("k").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&cluster.kubeconfig()), 0o600);
    assert_eq!(mode(cluster.path()), 0o700);
    assert_eq!(state.clusters().unwrap(), ["a".parse().unwrap()]);
    fs::write(cluster.path().join("status.json"), "{").unwrap();
    assert!(matches!(
        cluster.status(),
        Err(StateError::Malformed { .. })
    ));
}
