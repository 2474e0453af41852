//! A folder or an S3 bucket of files. Streams in and out; holds a few parts of a file, never all of it.
//! Invariant: a file is there whole or not at all, and one that was cut off leaves nothing behind.
//! What may be uploaded and who may have it is decided by whoever takes uploads.
//! Next: `sweep.rs`, when they go.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ClientOptions, GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt, RetryConfig};
use salon_core::{FileId, MeetingId, ParticipantId};
use tokio::io::AsyncReadExt;

use crate::uploads::{Crowded, Pace, UploadPlace, Uploads};
use crate::writer::Writer;

/// A part of a file on its way to S3, which takes no smaller ones. A smaller file goes in one request.
const S3_PART_BYTES: usize = 5 * 1024 * 1024;

/// How long S3 may take to be reached, may be silent, and is tried again.
const S3_CONNECTS_WITHIN: Duration = Duration::from_secs(5);
const S3_SILENT_FOR: Duration = Duration::from_secs(20);
const S3_TRIES_FOR: Duration = Duration::from_secs(15);

/// A part of one on its way to a folder.
const FOLDER_PART_BYTES: usize = 256 * 1024;

/// What is read at once of a file that is stored.
const COPIED_BYTES: usize = 256 * 1024;

/// Where the uploads of one file lie: several may be under way, and only one of them will count.
pub fn folder_of(file: &FileId) -> String {
    format!("chat/{file}")
}

/// Where files are to lie, and how long.
#[derive(Clone)]
pub struct Settings {
    pub place: Place,
    /// Uploads received at once.
    pub uploads_at_once: usize,
    /// Days after which a file is deleted, if its meeting does not keep its chat. 0: never.
    pub keep_days: u32,
}

/// Holds a secret: not for logs.
#[derive(Clone)]
pub enum Place {
    Folder(PathBuf),
    S3(Bucket),
}

impl Place {
    /// The folder, if it is one.
    pub fn folder(&self) -> Option<&std::path::Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::S3(_) => None,
        }
    }
}

#[derive(Clone)]
pub struct Bucket {
    pub name: String,
    /// Where S3 is, if it is not Amazon's; else empty.
    pub endpoint: String,
    pub region: String,
    /// Who asks; empty if the environment says so.
    pub access_key: String,
    pub secret_key: String,
}

/// The store of files.
#[derive(Clone)]
pub struct Files {
    objects: Arc<dyn ObjectStore>,
    /// The folder, if that is where they are.
    pub(crate) folder: Option<PathBuf>,
    part_bytes: usize,
    uploads: Arc<Uploads>,
    pub(crate) keep_days: u32,
}

/// Why an upload came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Cut {
    #[error("the file is larger than allowed")]
    TooLarge,
    #[error("the file did not arrive whole")]
    Broken,
    #[error("it arrived too slowly")]
    Slow,
    #[error("another upload of the same file has begun")]
    Replaced,
    #[error("the file cannot be stored: {0}")]
    Store(String),
}

/// Why a file of this computer was not stored: nothing is there then.
#[derive(Debug, thiserror::Error)]
pub enum NotPut {
    #[error("the file cannot be read: {0}")]
    Unread(#[from] std::io::Error),
    #[error("the file cannot be stored: {0}")]
    Unstored(#[from] object_store::Error),
}

impl Files {
    pub fn open(settings: &Settings) -> anyhow::Result<Self> {
        let uploads = Arc::new(Uploads::new(settings.uploads_at_once));
        let keep_days = settings.keep_days;
        match &settings.place {
            Place::Folder(folder) => {
                let (objects, folder) = (Arc::new(in_folder(folder)?), Some(folder.clone()));
                Ok(Self { objects, folder, part_bytes: FOLDER_PART_BYTES, uploads, keep_days })
            }
            Place::S3(bucket) => {
                let objects = Arc::new(in_bucket(bucket)?);
                Ok(Self { objects, folder: None, part_bytes: S3_PART_BYTES, uploads, keep_days })
            }
        }
    }

    /// A place among the uploads of this node. One of the same file that is under way ends as [`Cut::Replaced`].
    ///
    /// # Errors
    /// What is crowded: this participant's places, this meeting's, or all.
    pub fn place(&self, file: &FileId, participant: &ParticipantId, meeting: &MeetingId) -> Result<UploadPlace, Crowded> {
        self.uploads.enter(file, participant, meeting)
    }

    /// Stores a body of at most `most` bytes; answers with how many it had.
    ///
    /// Run it in a task of its own: dropped half-way it cannot clean up on S3.
    pub async fn write<E>(
        &self,
        object: &str,
        body: impl Stream<Item = Result<Bytes, E>>,
        most: u64,
        place: &UploadPlace,
    ) -> Result<u64, Cut> {
        let mut writer = Writer::new(self.objects.clone(), Path::from(object), self.part_bytes);
        match receive(&mut writer, body, most, place).await {
            Ok(size) => match writer.finish().await {
                Ok(()) => Ok(size),
                Err(error) => {
                    // Nothing is there, unless only the answer was lost.
                    let _ = self.delete(object).await;
                    Err(Cut::Store(error.to_string()))
                }
            },
            Err(cut) => {
                writer.abort().await;
                Err(cut)
            }
        }
    }

    /// Stores a file of this computer; answers with its size.
    ///
    /// # Errors
    /// It cannot be read, or not be stored.
    pub async fn put(&self, object: &str, file: &std::path::Path) -> Result<u64, NotPut> {
        put(self.objects.clone(), self.part_bytes, object, file).await
    }

    /// A file, or a part of it.
    pub async fn read(&self, object: &str, range: Option<GetRange>) -> object_store::Result<GetResult> {
        self.objects.get_opts(&Path::from(object), GetOptions { range, ..GetOptions::default() }).await
    }

    /// Deletes one; nothing happens if there is none.
    pub async fn delete(&self, object: &str) -> object_store::Result<()> {
        match self.objects.delete(&Path::from(object)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Deletes all whose name begins with these segments.
    pub async fn delete_all(&self, prefix: &str) -> object_store::Result<()> {
        let prefix = Path::from(prefix);
        let found: Vec<_> = self.objects.list(Some(&prefix)).map_ok(|found| found.location).try_collect().await?;
        for object in found {
            self.delete(object.as_ref()).await?;
        }
        Ok(())
    }
}

/// Stores a file of this computer in a bucket that is not the server's: nothing of its environment is used, and nothing of a
/// file that could not be stored whole is left. Answers with its size.
///
/// # Errors
/// It cannot be read, or not be stored.
pub async fn put_elsewhere(bucket: &Bucket, object: &str, file: &std::path::Path) -> anyhow::Result<u64> {
    let objects = Arc::new(bucket_with(AmazonS3Builder::new(), bucket)?);
    Ok(put(objects, S3_PART_BYTES, object, file).await?)
}

async fn put(objects: Arc<dyn ObjectStore>, part_bytes: usize, object: &str, file: &std::path::Path) -> Result<u64, NotPut> {
    let mut file = tokio::fs::File::open(file).await?;
    let mut writer = Writer::new(objects, Path::from(object), part_bytes);
    match copy(&mut file, &mut writer).await {
        Ok(size) => {
            writer.finish().await?;
            Ok(size)
        }
        Err(error) => {
            writer.abort().await;
            Err(error)
        }
    }
}

async fn copy(file: &mut tokio::fs::File, writer: &mut Writer) -> Result<u64, NotPut> {
    let mut size = 0;
    loop {
        let mut bytes = BytesMut::with_capacity(COPIED_BYTES);
        if file.read_buf(&mut bytes).await? == 0 {
            return Ok(size);
        }
        size += bytes.len() as u64;
        writer.put(bytes.freeze()).await?;
    }
}

fn in_folder(folder: &std::path::Path) -> anyhow::Result<LocalFileSystem> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let objects = LocalFileSystem::new_with_prefix(folder);
    Ok(objects.with_context(|| format!("cannot use the folder {}", folder.display()))?.with_automatic_cleanup(true))
}

fn in_bucket(bucket: &Bucket) -> anyhow::Result<AmazonS3> {
    bucket_with(AmazonS3Builder::from_env(), bucket)
}

fn bucket_with(mut s3: AmazonS3Builder, bucket: &Bucket) -> anyhow::Result<AmazonS3> {
    // No bound on the whole: a large file may go to a slow reader.
    let patience = ClientOptions::new().with_timeout_disabled().with_read_timeout(S3_SILENT_FOR);
    let patience = patience.with_connect_timeout(S3_CONNECTS_WITHIN);
    let retry = RetryConfig { max_retries: 3, retry_timeout: S3_TRIES_FOR, ..RetryConfig::default() };
    s3 = s3.with_client_options(patience).with_retry(retry).with_bucket_name(&bucket.name).with_region(&bucket.region);
    if !bucket.endpoint.is_empty() {
        // An operator who writes `http://` means it.
        s3 = s3.with_endpoint(&bucket.endpoint).with_allow_http(bucket.endpoint.starts_with("http://"));
    }
    if !bucket.access_key.is_empty() {
        s3 = s3.with_access_key_id(&bucket.access_key).with_secret_access_key(&bucket.secret_key);
    }
    s3.build().context("cannot use the S3 bucket")
}

async fn receive<E>(
    writer: &mut Writer,
    body: impl Stream<Item = Result<Bytes, E>>,
    most: u64,
    place: &UploadPlace,
) -> Result<u64, Cut> {
    let mut body = pin!(body);
    let (mut size, mut pace) = (0, Pace::default());
    loop {
        let began = Instant::now();
        let next = tokio::select! {
            biased;
            () = place.replaced.cancelled() => return Err(Cut::Replaced),
            next = tokio::time::timeout(pace.patience(), body.next()) => next,
        };
        let bytes = match next {
            // Its time is over: whether enough has come before is asked below.
            Err(_) => Bytes::new(),
            Ok(None) => return Ok(size),
            Ok(Some(Err(_))) => return Err(Cut::Broken),
            Ok(Some(Ok(bytes))) => bytes,
        };
        // What the store takes to write is not the sender's fault.
        if !pace.keeps_up(began.elapsed(), bytes.len()) {
            return Err(Cut::Slow);
        }
        size += bytes.len() as u64;
        if size > most {
            return Err(Cut::TooLarge);
        }
        writer.put(bytes).await.map_err(|error| Cut::Store(error.to_string()))?;
    }
}
