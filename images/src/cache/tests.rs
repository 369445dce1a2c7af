use std::sync::atomic::{AtomicUsize, Ordering};

use kcluster_matrix::Arch;
use kcluster_matrix::event::Silent;

use std::time::Duration;

use super::*;
use crate::recipe::Recipe;

fn key(name: &str) -> Key {
    Recipe::new("test", 1).with("name", name).key()
}

async fn write(cache: &Cache, name: &str) -> Result<Entry> {
    let content = name.to_owned();
    cache
        .get(
            ("thing", &key(name)),
            name,
            &Silent,
            async |dir: PathBuf| {
                fs::write(dir.join("file"), content)?;
                Ok(())
            },
        )
        .await
}

#[tokio::test]
async fn a_thing_is_made_once_even_when_asked_for_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let made = AtomicUsize::new(0);
    let ask = || async {
        // A cache of its own stands for a process of its own: locks are per open file.
        let cache = Cache::open(folder.path()).unwrap();
        let entry = cache
            .get(("thing", &key("a")), "a", &Silent, async |dir: PathBuf| {
                made.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(30)).await;
                fs::write(dir.join("file"), "content")?;
                Ok(())
            })
            .await
            .unwrap();
        fs::read_to_string(entry.path("file")).unwrap()
    };
    let (a, b, c) = tokio::join!(ask(), ask(), ask());
    assert_eq!([a, b, c], ["content"; 3]);
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_failed_build_leaves_nothing_and_can_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    let failed = cache
        .get(("thing", &key("a")), "a", &Silent, async |dir: PathBuf| {
            fs::write(dir.join("half"), "half")?;
            Err(Error::malformed("a", "it broke"))
        })
        .await;
    assert!(failed.is_err());
    assert_eq!(fs::read_dir(folder.path().join("work")).unwrap().count(), 0);
    assert!(cache.list().unwrap().is_empty());
    let entry = write(&cache, "a").await.unwrap();
    assert!(!entry.path("half").exists());
}

#[tokio::test]
async fn what_a_crash_left_is_not_taken_for_finished() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    let key = key("a");
    let work = folder.path().join("work").join(format!("thing-{key}"));
    fs::create_dir_all(&work).unwrap();
    fs::write(work.join("half"), "half").unwrap();
    fs::create_dir_all(folder.path().join("thing").join(key.as_str())).unwrap();
    let entry = write(&cache, "a").await.unwrap();
    assert_eq!(fs::read_to_string(entry.path("file")).unwrap(), "a");
    assert!(!entry.path("half").exists() && !work.exists());
}

#[tokio::test]
async fn pruning_spares_what_is_in_use_or_young() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    let held = write(&cache, "held").await.unwrap();
    drop(write(&cache, "free").await.unwrap());

    let pruned = cache.prune(Duration::from_secs(60)).unwrap();
    assert_eq!(pruned, Pruned::default());

    let pruned = cache.prune(Duration::ZERO).unwrap();
    let names = |listed: &[Listed]| {
        listed
            .iter()
            .map(|entry| entry.what.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&pruned.removed), ["free"]);
    assert_eq!(names(&pruned.in_use), ["held"]);
    assert!(held.path("file").exists());
    drop(held);
    assert_eq!(cache.prune(Duration::ZERO).unwrap().removed.len(), 1);
    assert!(cache.list().unwrap().is_empty());
}

#[tokio::test]
async fn what_was_built_of_a_version_goes_and_no_other_does() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path()).unwrap();
    let version = "v1.36.3-34+b78f157e7f7391";
    let (mine, used) = (
        format!("images of Kubernetes {version} (amd64)"),
        format!("e2e.test {version} (amd64)"),
    );
    for name in [
        &mine,
        &format!("kubernetes {version} (s390x)"),
        "kubernetes v1.36.3 (amd64)",
        "kubernetes v1.36.3-34+b78f157e7f7391a (amd64)",
    ] {
        write(&cache, name).await.unwrap();
    }
    let _in_use = write(&cache, &used).await.unwrap();
    let pruned = cache
        .remove(&version.parse().unwrap(), Arch::Amd64)
        .unwrap();
    let words = |listed: &[Listed]| -> Vec<String> {
        listed.iter().map(|listed| listed.what.clone()).collect()
    };
    assert_eq!(
        (words(&pruned.removed), words(&pruned.in_use)),
        (vec![mine], vec![used])
    );
    assert_eq!(cache.list().unwrap().len(), 4);
}
