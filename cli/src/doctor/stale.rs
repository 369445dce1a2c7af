//! Pid files of an engine that was killed. The next engine takes the process that carries
//! the number now, or a dead one nobody has reaped, for its own and does not start.

use std::path::Path;

/// Where an engine started by hand keeps the number of its containerd.
pub(crate) const CONTAINERD: &str = "/var/run/docker/containerd/containerd.pid";

/// Removes `pidfile` unless `program` runs under the number in it.
pub(crate) fn clear(pidfile: &Path, program: &str) -> std::io::Result<()> {
    clear_in(Path::new("/proc"), pidfile, program)
}

fn clear_in(proc: &Path, pidfile: &Path, program: &str) -> std::io::Result<()> {
    let Ok(text) = fs_err::read_to_string(pidfile) else {
        return Ok(());
    };
    let stat = fs_err::read_to_string(proc.join(text.trim()).join("stat"));
    if stat.is_ok_and(|stat| runs(&stat, program)) {
        return Ok(());
    }
    fs_err::remove_file(pidfile)
}

/// Whether a line of `/proc/PID/stat` is that of a living process called `program`.
fn runs(stat: &str, program: &str) -> bool {
    let Some((before, after)) = stat.rsplit_once(") ") else {
        return false;
    };
    let name = before.split_once('(').map_or("", |(_, name)| name);
    name == program && !after.starts_with(['Z', 'X'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pid_file_of_a_living_engine_stays() {
        let folder = tempfile::tempdir().unwrap();
        let pidfile = folder.path().join("pid");
        for (stat, stays) in [
            (Some("7 (dockerd) S 1 7"), true),
            (Some("7 (dockerd) Z 1 7"), false),
            (Some("7 (a (b) c) R 1 7"), false),
            (None, false),
        ] {
            let process = folder.path().join("7");
            let _ = fs_err::remove_dir_all(&process);
            if let Some(stat) = stat {
                fs_err::create_dir(&process).unwrap();
                fs_err::write(process.join("stat"), stat).unwrap();
            }
            fs_err::write(&pidfile, "7\n").unwrap();
            clear_in(folder.path(), &pidfile, "dockerd").unwrap();
            assert_eq!(pidfile.exists(), stays, "{stat:?}");
        }
        clear_in(folder.path(), &folder.path().join("none"), "dockerd").unwrap();
    }
}
