//! Images: found, listed, loaded and saved as archives.

use std::sync::{Arc, Mutex, PoisonError};

use bollard::models::ImageInspect;
use bollard::query_parameters::{
    ImportImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptions,
};
use futures_util::stream::iter;
use futures_util::{StreamExt, TryStreamExt};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};

use super::errors::{Operation, chain, has_status};
use super::{DockerEngine, by_labels, from_map};
use crate::engine::{EngineError, ImageInfo, Labels, LayerInfo};

/// Bytes read from an archive at a time.
const CHUNK: usize = 256 * 1024;

impl DockerEngine {
    pub(super) async fn find_image(
        &self,
        reference: &str,
    ) -> Result<Option<ImageInfo>, EngineError> {
        match self.docker.inspect_image(reference).await {
            Ok(image) => Ok(Some(info(reference, image))),
            Err(error) if has_status(&error, 404) => Ok(None),
            Err(error) => Err(self.map(Operation::new("find", "image", reference))(error)),
        }
    }

    pub(super) async fn list_images(&self, labels: &Labels) -> Result<Vec<ImageInfo>, EngineError> {
        let options = ListImagesOptionsBuilder::default()
            .filters(&by_labels(labels))
            .build();
        let images = self
            .docker
            .list_images(Some(options))
            .await
            .map_err(self.map(Operation::new("list", "images", "")))?;
        Ok(images
            .into_iter()
            .map(|image| ImageInfo {
                id: image.id,
                references: references(image.repo_tags),
                labels: image.labels.into_iter().collect(),
                size: size(image.size),
                created: image.created,
            })
            .collect())
    }

    pub(super) async fn list_layers(&self, reference: &str) -> Result<Vec<LayerInfo>, EngineError> {
        let layers = self
            .docker
            .image_history(reference)
            .await
            .map_err(self.map(Operation::new("describe", "image", reference)))?;
        let layers = layers.into_iter().rev().map(|layer| LayerInfo {
            what: layer.created_by,
            size: size(layer.size),
        });
        Ok(layers.filter(|layer| layer.size > 0).collect())
    }

    pub(super) async fn load_archive(
        &self,
        archive: Box<dyn AsyncRead + Send + Unpin>,
    ) -> Result<(), EngineError> {
        let operation = Operation::new("load", "an image archive", "");
        // A reader that fails breaks the connection; what it said is kept for the report.
        let broken = Arc::new(Mutex::new(None));
        let report = Arc::clone(&broken);
        let body = ReaderStream::with_capacity(archive, CHUNK).inspect_err(move |error| {
            *report.lock().unwrap_or_else(PoisonError::into_inner) = Some(chain(error));
        });
        let options = ImportImageOptionsBuilder::default().quiet(true).build();
        // An archive the engine refuses is an error inside a stream that began well.
        let answers = self.bulk().import_image_stream(options, body, None);
        let answers: Result<Vec<_>, _> = answers.try_collect().await;
        let broken = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (answers, broken) {
            (Ok(_), _) => Ok(()),
            (Err(_), Some(reason)) => Err(operation.failed(format!("cannot read it: {reason}"))),
            (Err(error), None) => Err(self.map(operation)(error)),
        }
    }

    pub(super) async fn save_archive(
        &self,
        names: &[String],
    ) -> Result<Box<dyn AsyncRead + Send + Unpin>, EngineError> {
        // Inside the archive's stream, an image that is missing would be told too late.
        for name in names {
            if self.find_image(name).await?.is_none() {
                return Err(EngineError::Missing {
                    what: "image",
                    name: name.clone(),
                });
            }
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut stream = self.bulk().export_images(&names).boxed();
        // A refusal comes in place of the archive's beginning.
        let first = stream.next().await.transpose();
        let first = first.map_err(self.map(Operation::new("save", "image", &names.join(" "))))?;
        let whole = iter(first.map(Ok)).chain(stream);
        Ok(Box::new(StreamReader::new(
            whole.map_err(std::io::Error::other).boxed(),
        )))
    }

    pub(super) async fn drop_image(&self, reference: &str) -> Result<(), EngineError> {
        self.docker
            .remove_image(reference, None::<RemoveImageOptions>, None)
            .await
            .map(drop)
            .map_err(self.map(Operation::new("remove", "image", reference)))
    }
}

fn info(reference: &str, image: ImageInspect) -> ImageInfo {
    let created = image
        .created
        .and_then(|text| text.parse::<jiff::Timestamp>().ok())
        .map_or(0, jiff::Timestamp::as_second);
    ImageInfo {
        id: image.id.unwrap_or_else(|| reference.to_owned()),
        references: references(image.repo_tags.unwrap_or_default()),
        labels: from_map(image.config.and_then(|config| config.labels)),
        size: size(image.size.unwrap_or_default()),
        created,
    }
}

/// The engine lists an image that lost its name under one that is none.
fn references(tags: Vec<String>) -> Vec<String> {
    tags.into_iter()
        .filter(|tag| tag != "<none>:<none>")
        .collect()
}

fn size(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or_default()
}
