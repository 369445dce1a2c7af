//! What addons are made of and comes from elsewhere: objects by their address, charts by Helm.

use fs_err as fs;
use kcluster_matrix::Platform;

use crate::builder::{Builder, host_arch};
use crate::command::Run;
use crate::error::{Error, Result};
use crate::node::AddonImage;
use crate::recipe::{Recipe, sha256};
use crate::source::fetch_text;

/// One hash of several texts, in their order.
#[must_use]
pub fn sha256_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    Recipe::new("content", 1)
        .with_all("part", parts)
        .key()
        .as_str()
        .to_owned()
}

fn checked(what: &str, content: &[u8], wanted: Option<&str>) -> Result<()> {
    let (found, _) = sha256(content)?;
    match wanted.map(str::to_lowercase) {
        Some(wanted) if wanted != found => Err(Error::Digest {
            what: what.to_owned(),
            found,
            wanted,
        }),
        _ => Ok(()),
    }
}

impl Builder {
    /// A text by its address, of that SHA-256 if one is given.
    ///
    /// # Errors
    /// When it cannot be fetched, or is another one.
    pub async fn fetch_text(&self, url: &str, sha256: Option<&str>) -> Result<String> {
        let text = fetch_text(url).await?;
        checked(url, text.as_bytes(), sha256)?;
        Ok(text)
    }

    /// A chart as an archive, fetched by Helm with its user's own settings.
    ///
    /// # Errors
    /// When Helm cannot be built, or cannot fetch it.
    pub async fn pull_chart(
        &self,
        chart: &str,
        repository: Option<&str>,
        version: Option<&str>,
        sha256: Option<&str>,
    ) -> Result<Vec<u8>> {
        let arch = host_arch()?;
        let here = Platform::new(arch, arch, None)
            .map_err(|error| Error::malformed("this machine", error))?;
        let helm = self.addon_program(AddonImage::Helm, here).await?;
        let folder = tempfile::tempdir()?;
        let mut run = Run::new(helm.path("helm"), folder.path()).args(["pull", chart]);
        for (flag, value) in [("--repo", repository), ("--version", version)] {
            if let Some(value) = value {
                run = run.args([flag, value]);
            }
        }
        run.output().await?;
        let archive = fs::read_dir(folder.path())?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|ending| ending == "tgz"));
        let Some(archive) = archive else {
            return Err(Error::malformed(chart, "Helm fetched no archive"));
        };
        let content = fs::read(archive)?;
        checked(chart, &content, sha256)?;
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_what_was_promised_is_refused() {
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(checked("x", b"abc", None).is_ok());
        assert!(checked("x", b"abc", Some(&digest.to_uppercase())).is_ok());
        assert!(matches!(
            checked("x", b"abd", Some(digest)),
            Err(Error::Digest { .. })
        ));
    }
}
