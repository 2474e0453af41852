//! One object on its way to the store: a small one in one request, any other in parts.
//! Invariant: it is given up only when none of its parts is on its way. S3 may keep a part that arrives while its upload is
//! being given up ("abort it again", says its documentation), unseen and paid for; no later call of ours would find it.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayloadMut, Result};
use tokio::task::JoinSet;

/// Parts on their way at once.
const AT_ONCE: usize = 2;

pub(crate) struct Writer {
    objects: Arc<dyn ObjectStore>,
    path: Path,
    part_bytes: usize,
    /// What was not sent yet.
    part: PutPayloadMut,
    /// Once there is more than one part.
    upload: Option<Box<dyn MultipartUpload>>,
    under_way: JoinSet<Result<()>>,
}

impl Writer {
    pub fn new(objects: Arc<dyn ObjectStore>, path: Path, part_bytes: usize) -> Self {
        Self { objects, path, part_bytes, part: PutPayloadMut::new(), upload: None, under_way: JoinSet::new() }
    }

    /// Takes bytes; waits while as many parts are on their way as may be.
    pub async fn put(&mut self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            if self.part.content_length() == self.part_bytes {
                self.send().await?;
            }
            let room = self.part_bytes - self.part.content_length();
            self.part.push(bytes.split_to(room.min(bytes.len())));
        }
        Ok(())
    }

    /// The object is there when this answers.
    ///
    /// # Errors
    /// It cannot be stored; what there was of it was given up.
    pub async fn finish(mut self) -> Result<()> {
        let completed = self.complete().await;
        if completed.is_err() {
            self.abort().await;
        }
        completed
    }

    /// Leaves nothing behind.
    pub async fn abort(mut self) {
        while self.under_way.join_next().await.is_some() {}
        if let Some(mut upload) = self.upload
            && let Err(error) = upload.abort().await
        {
            tracing::debug!(%error, "an upload that was cut off cannot be taken back");
        }
    }

    async fn complete(&mut self) -> Result<()> {
        if self.upload.is_none() {
            return self.objects.put(&self.path, std::mem::take(&mut self.part).into()).await.map(drop);
        }
        self.send().await?;
        while !self.under_way.is_empty() {
            self.one_arrives().await?;
        }
        match &mut self.upload {
            Some(upload) => upload.complete().await.map(drop),
            None => Ok(()),
        }
    }

    async fn send(&mut self) -> Result<()> {
        while self.under_way.len() >= AT_ONCE {
            self.one_arrives().await?;
        }
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(self.objects.put_multipart(&self.path).await?),
        };
        self.under_way.spawn(upload.put_part(std::mem::take(&mut self.part).into()));
        Ok(())
    }

    async fn one_arrives(&mut self) -> Result<()> {
        match self.under_way.join_next().await {
            Some(arrived) => arrived?,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::BoxFuture;
    use object_store::memory::InMemory;
    use object_store::{PutPayload, PutResult, UploadPart};
    use tokio::sync::Semaphore;

    use super::*;

    /// A bucket that takes in parts when it is let, and tells how many were on their way when it was given up.
    #[derive(Debug, Clone)]
    struct Slow {
        lets: Arc<Semaphore>,
        under_way: Arc<AtomicUsize>,
        at_abort: Arc<AtomicUsize>,
    }

    impl MultipartUpload for Slow {
        fn put_part(&mut self, _: PutPayload) -> UploadPart {
            self.under_way.fetch_add(1, Ordering::Relaxed);
            let slow = self.clone();
            Box::pin(async move {
                slow.lets.acquire().await.expect("open").forget();
                slow.under_way.fetch_sub(1, Ordering::Relaxed);
                Ok(())
            })
        }

        fn complete<'s, 'f>(&'s mut self) -> BoxFuture<'f, Result<PutResult>>
        where
            's: 'f,
        {
            unreachable!("it is cut off")
        }

        fn abort<'s, 'f>(&'s mut self) -> BoxFuture<'f, Result<()>>
        where
            's: 'f,
        {
            self.at_abort.store(self.under_way.load(Ordering::Relaxed), Ordering::Relaxed);
            Box::pin(async { Ok(()) })
        }
    }

    #[tokio::test]
    async fn an_upload_is_given_up_when_none_of_its_parts_is_on_its_way() {
        let slow =
            Slow { lets: Arc::new(Semaphore::new(0)), under_way: Arc::default(), at_abort: Arc::new(AtomicUsize::new(99)) };
        let mut writer = Writer::new(Arc::new(InMemory::new()), Path::from("plan.png"), 10);
        writer.upload = Some(Box::new(slow.clone()));
        writer.put(Bytes::from_static(&[7; 25])).await.expect("two parts and a bit");
        assert_eq!(slow.under_way.load(Ordering::Relaxed), 2);
        let given_up = tokio::spawn(writer.abort());
        tokio::task::yield_now().await;
        assert_eq!(slow.at_abort.load(Ordering::Relaxed), 99, "parts are on their way");
        slow.lets.add_permits(2);
        given_up.await.expect("it ends");
        assert_eq!(slow.at_abort.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn what_is_written_is_what_is_read_whatever_its_size() {
        let objects = Arc::new(InMemory::new());
        for size in [0, 1, 9, 10, 11, 20, 25, 100] {
            let bytes: Vec<u8> = (0..size).collect();
            for cut in [1, 3, 10, 64] {
                let mut writer = Writer::new(objects.clone(), Path::from("plan.png"), 10);
                for piece in bytes.chunks(cut) {
                    writer.put(Bytes::copy_from_slice(piece)).await.expect("room");
                }
                writer.finish().await.expect("stored");
                let read = objects.get(&Path::from("plan.png")).await.expect("there").bytes().await.expect("read");
                assert_eq!(read, bytes, "{size} in pieces of {cut}");
            }
        }
    }
}
