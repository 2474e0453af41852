//! The writer: appends on their way to the disk, many callers in one transaction.
//! Owns the one task that writes them.
//! Invariant: an append that is answered `Ok` is committed; one that is refused left nothing, and no neighbour of it
//! in the same transaction noticed.
//! Next: `writer/batch.rs`, what may be written; `writer/write.rs`, how.

mod batch;
mod write;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::append::Append;
use crate::engine::Db;
use crate::error::{Error, Result};
use crate::outbox::Bell;

/// Appends that may wait for the writer. A caller that finds the queue full waits outside of it.
const MAX_QUEUED: usize = 1024;

/// Appends in one transaction. More make the first caller wait longer for the last.
const MAX_BATCH: usize = 256;

/// How long a transaction of the writer may take before its callers hear `Unavailable`. Lowering it fails appends on
/// a slow database that would have succeeded; raising it makes sessions wait longer for one that hangs.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The callers' end of the writing task. The task ends with the last clone.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Work>,
}

enum Work {
    Append(Append, oneshot::Sender<Result<()>>),
    Close(oneshot::Sender<()>),
}

impl Writer {
    pub fn start(db: Db, bell: Arc<Bell>) -> Self {
        let (queue, work) = mpsc::channel(MAX_QUEUED);
        tokio::spawn(run(db, bell, work));
        Self { queue }
    }

    pub async fn append(&self, append: Append) -> Result<()> {
        let (answer, outcome) = oneshot::channel();
        self.queue.send(Work::Append(append, answer)).await.map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())?
    }

    /// Has everything queued before this written, and ends the task.
    pub async fn close(&self) {
        let (answer, done) = oneshot::channel();
        // An error means that it has ended already.
        if self.queue.send(Work::Close(answer)).await.is_ok() {
            let _ = done.await;
        }
    }
}

fn closed() -> Error {
    sqlx::Error::PoolClosed.into()
}

/// While one transaction is under way the next batch gathers, so batches grow exactly as the database slows down.
async fn run(db: Db, bell: Arc<Bell>, mut work: mpsc::Receiver<Work>) {
    let mut gathered = Vec::new();
    while work.recv_many(&mut gathered, MAX_BATCH).await > 0 {
        let (mut appends, mut answers, mut closers) = (Vec::new(), Vec::new(), Vec::new());
        for work in gathered.drain(..) {
            match work {
                Work::Append(append, answer) => {
                    appends.push(append);
                    answers.push(answer);
                }
                Work::Close(answer) => closers.push(answer),
            }
        }
        if !closers.is_empty() {
            // What is queued by now is still written, by the next rounds; nothing more is let in.
            work.close();
        }
        for (answer, outcome) in answers.into_iter().zip(commit(&db, &bell, &appends).await) {
            // The caller may have stopped waiting.
            let _ = answer.send(outcome);
        }
        if !closers.is_empty() {
            while let Some(late) = work.recv().await {
                match late {
                    Work::Append(append, answer) => {
                        let outcome = commit(&db, &bell, &[append]).await.pop().unwrap_or_else(|| Err(closed()));
                        let _ = answer.send(outcome);
                    }
                    Work::Close(answer) => closers.push(answer),
                }
            }
            for closer in closers {
                let _ = closer.send(());
            }
        }
    }
}

/// Commits what may be committed, and tells the outcome of each append.
async fn commit(db: &Db, bell: &Bell, appends: &[Append]) -> Vec<Result<()>> {
    if appends.is_empty() {
        return Vec::new();
    }
    match commit_together(db, bell, appends).await {
        Ok(outcomes) => outcomes,
        Err(err) if err.is_refusal() && appends.len() > 1 => {
            // One of them holds something the database does not take, which the checks should have found.
            tracing::error!(error = %err, appends = appends.len(), "a batch of events was refused, writing them singly");
            let mut outcomes = Vec::with_capacity(appends.len());
            for append in appends {
                match commit_together(db, bell, std::slice::from_ref(append)).await {
                    Ok(outcome) => outcomes.extend(outcome),
                    Err(err) => outcomes.push(Err(err)),
                }
            }
            outcomes
        }
        Err(err) => appends.iter().map(|_| Err(err.clone())).collect(),
    }
}

async fn commit_together(db: &Db, bell: &Bell, appends: &[Append]) -> Result<Vec<Result<()>>> {
    let outcome = tokio::time::timeout(MAX_WAIT, write::transact(db, appends)).await;
    let (outcomes, woken) = outcome.unwrap_or_else(|_| Err(sqlx::Error::PoolTimedOut.into()))?;
    if !woken.is_empty() {
        bell.wake(woken);
    }
    Ok(outcomes)
}
