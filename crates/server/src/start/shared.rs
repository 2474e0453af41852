//! Whether nodes that share a database share their files as well: a setting in the one names an object in the other.
//! What a worker records elsewhere would be told as stored, and be found by nobody.

use anyhow::Context;
use salon_core::Timestamp;
use salon_files::{Error, Files};
use salon_store::Store;

use super::secret;

/// The setting that has the name.
const MARK: &str = "files_mark";

/// Whether files lie where those of the other nodes do. The first node that asks leaves a mark; one that is alone leaves it anew,
/// where its files are by now.
///
/// # Errors
/// The store or the storage does not answer, or nothing can be written there.
pub async fn are_files_shared(store: &Store, files: &Files, is_alone: bool, data: &std::path::Path) -> anyhow::Result<bool> {
    let mark = match store.setting(MARK).await? {
        Some(mark) => mark,
        None => {
            let mark = secret::fresh();
            leave(files, &mark, data).await?;
            store.setting_or_insert(MARK, &mark).await?
        }
    };
    match files.read(&object(&mark), None).await {
        Ok(_) => Ok(true),
        Err(Error::NotFound { .. }) if is_alone => leave(files, &mark, data).await.map(|()| true),
        Err(Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error).context("the storage for files does not answer"),
    }
}

fn object(mark: &str) -> String {
    format!("marks/{mark}")
}

async fn leave(files: &Files, mark: &str, data: &std::path::Path) -> anyhow::Result<()> {
    let path = data.join(MARK);
    std::fs::write(&path, "Salon's nodes find out by this that they have one storage for their files.\n")?;
    let put = files.put(&object(mark), &path).await;
    let _ = std::fs::remove_file(&path);
    put.map(drop).context("nothing can be written to the storage for files")
}

/// Says so where they do not, or where nobody can tell.
///
/// # Errors
/// A worker has its files elsewhere than the nodes.
pub async fn look(
    store: &Store,
    files: &Files,
    (is_worker, name): (bool, &str),
    data: &std::path::Path,
    now: Timestamp,
) -> anyhow::Result<()> {
    if !store.is_shared() {
        return Ok(());
    }
    let is_alone = !is_worker && !store.nodes(now).await?.iter().any(|node| node.is_alive && node.name != name);
    match are_files_shared(store, files, is_alone, data).await {
        Ok(true) => {}
        Ok(false) if is_worker => anyhow::bail!(
            "the files of this worker lie elsewhere than those of the nodes that share its database, so nobody would find what it \
             records: set files.* as theirs are, to one folder or bucket for all"
        ),
        Ok(false) => tracing::warn!(
            "the files of this node lie elsewhere than those of other nodes that share its database, so these do not find them: \
             files.* is to name one folder or bucket for all"
        ),
        Err(error) => tracing::warn!(
            error = format_args!("{error:#}").to_string(),
            "it cannot be told whether files are shared with other nodes"
        ),
    }
    Ok(())
}
