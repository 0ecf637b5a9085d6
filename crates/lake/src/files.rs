//! The file storage that iceberg writes through: local files that are on the disk before the catalog names them.
//!
//! iceberg's own local storage leaves metadata files in the page cache and never syncs a folder, so that after a power cut the
//! catalog (which SQLite does sync) could name an empty file.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use iceberg::io::{
    FileMetadata, FileRead, FileWrite, InputFile, LocalFsStorage, OutputFile, Storage,
    StorageConfig, StorageFactory,
};
use iceberg::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SyncedFiles(LocalFsStorage);

#[async_trait]
#[typetag::serde(name = "RwtSyncedFiles")]
impl Storage for SyncedFiles {
    async fn exists(&self, path: &str) -> Result<bool> {
        self.0.exists(path).await
    }

    async fn metadata(&self, path: &str) -> Result<FileMetadata> {
        self.0.metadata(path).await
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        self.0.read(path).await
    }

    async fn reader(&self, path: &str) -> Result<Box<dyn FileRead>> {
        self.0.reader(path).await
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let mut writer = self.writer(path).await?;
        writer.write(bytes).await?;
        writer.close().await
    }

    async fn writer(&self, path: &str) -> Result<Box<dyn FileWrite>> {
        let folder = Path::new(path.strip_prefix("file://").unwrap_or(path))
            .parent()
            .map(Path::to_path_buf);
        Ok(Box::new(SyncedWrite {
            file: self.0.writer(path).await?,
            folder,
        }))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        self.0.delete(path).await
    }

    async fn delete_prefix(&self, path: &str) -> Result<()> {
        self.0.delete_prefix(path).await
    }

    async fn delete_stream(&self, paths: BoxStream<'static, String>) -> Result<()> {
        self.0.delete_stream(paths).await
    }

    fn new_input(&self, path: &str) -> Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), path.to_string()))
    }

    fn new_output(&self, path: &str) -> Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), path.to_string()))
    }
}

/// A file that is synced with its folder when it is closed.
struct SyncedWrite {
    /// Syncs its contents on close.
    file: Box<dyn FileWrite>,
    folder: Option<std::path::PathBuf>,
}

#[async_trait]
impl FileWrite for SyncedWrite {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.file.write(bytes).await
    }

    async fn close(&mut self) -> Result<()> {
        self.file.close().await?;
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        std::fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| {
                Error::new(
                    ErrorKind::Unexpected,
                    format!("cannot sync the folder {}: {error}", folder.display()),
                )
            })
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct SyncedFilesFactory;

#[typetag::serde(name = "RwtSyncedFilesFactory")]
impl StorageFactory for SyncedFilesFactory {
    fn build(&self, _config: &StorageConfig) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(SyncedFiles::default()))
    }
}
