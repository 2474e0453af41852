//! Opening databases: which, how often, and by how many at once.

use std::time::{Duration, Instant};

use salon_store::{Error, OpenOptions, Store};

use crate::bed::*;
use crate::rows::refused;

fn options(url: &str) -> OpenOptions {
    OpenOptions { url: url.into(), durable: true, max_connections: 4 }
}

on_both_engines! {
    async fn a_migrated_database_is_left_as_it_is(bed: Bed) {
        bed.app().await;
        bed.store.migrate().await.unwrap();
        bed.store.ping().await.unwrap();
        assert!(bed.store.app(&id("a")).await.unwrap().is_some());
    }

    async fn a_closed_database_opens_again_at_once(bed: Bed) {
        bed.app().await;
        bed.store.close().await;
        let start = Instant::now();
        let store = Store::open(&options(&bed.url)).await.unwrap();
        store.migrate().await.unwrap();
        assert!(store.app(&id("a")).await.unwrap().is_some());
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_share_one_migration() {
    let Some(database) = Database::make().await else { return };
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let url = database.url.clone();
        tasks.push(tokio::spawn(async move {
            let store = Store::open(&options(&url)).await.unwrap();
            store.migrate().await.unwrap();
            store.apps(&id("account"), None, &Default::default()).await.unwrap().total
        }));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_file_is_open_once() {
    let bed = Bed::sqlite().await;
    refused!(Store::open(&options(&bed.url)).await.map(drop), Error::DatabaseInUse(_));
    let path = bed.url.strip_prefix("sqlite:").unwrap();
    refused!(Store::open(&options(&format!("sqlite://{path}"))).await.map(drop), Error::DatabaseInUse(_));
    bed.app().await;
    bed.store.close().await;
    let again = Store::open(&options(&bed.url)).await.unwrap();
    assert!(again.app(&id("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn beside_whoever_has_the_file_rows_are_read_and_made() {
    let bed = Bed::sqlite().await;
    bed.app().await;
    let beside = Store::open_beside(&options(&bed.url)).await.unwrap();
    assert!(beside.app(&id("a")).await.unwrap().is_some());
    let key = crate::keys::plain(7, "");
    beside.insert_api_key(&key).await.unwrap();
    assert_eq!(bed.store.api_key(&[7; 32]).await.unwrap(), Some(key), "whoever has it sees them at once");
    beside.close().await;
    refused!(Store::open(&options(&bed.url)).await.map(drop), Error::DatabaseInUse(_));
    bed.store.revoke_api_key(&[7; 32]).await.unwrap();

    let files = tempfile::tempdir().unwrap();
    let missing = files.path().join("none.db");
    let opened = Store::open_beside(&options(&format!("sqlite:{}", missing.display()))).await.map(drop);
    assert!(matches!(opened, Err(Error::Unavailable(_))), "{opened:?}");
    assert!(!missing.exists(), "none is made");
}

/// As when the disk is full: SQLite takes the whole transaction back by itself.
#[tokio::test]
async fn after_a_full_disk_it_is_written_on() {
    let bed = Bed::sqlite().await;
    bed.raw("create trigger full before insert on apps begin select raise(rollback, 'database or disk is full'); end").await;
    for _ in 0..2 {
        let refused = bed.store.create_app(&app("a", "First"), &[]).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("disk is full")));
    }
    bed.raw("drop trigger full").await;
    bed.app().await;
    assert!(bed.store.app(&id("a")).await.unwrap().is_some());
}

#[tokio::test]
async fn of_two_that_open_a_file_at_once_one_gets_it() {
    let files = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", files.path().join("new.db").display());
    let (options, mut tasks) = (options(&url), Vec::new());
    for _ in 0..4 {
        let options = options.clone();
        tasks.push(tokio::spawn(async move {
            let store = Store::open(&options).await?;
            store.migrate().await?;
            Ok::<_, Error>(store)
        }));
    }
    let mut opened = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(store) => opened.push(store),
            refusal => {
                refused!(refusal.map(drop), Error::DatabaseInUse(_));
            }
        }
    }
    assert_eq!(opened.len(), 1);
}

#[tokio::test]
async fn urls_that_name_no_database_are_explained() {
    for url in ["", "mysql://x", "sqlite:", "sqlite::memory:", "sqlite:/no/such/folder/x.db", "postgres://[", "x.db"] {
        let opened = Store::open(&options(url)).await.map(drop);
        assert!(matches!(opened, Err(Error::BadUrl(_))), "{url}: {opened:?}");
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_told_of_with_why() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Store::open(&options(&format!("postgres://salon@{nobody}/salon"))).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(std::error::Error::source(&error).is_none(), "it is said once");
}

#[tokio::test]
async fn a_path_with_odd_letters_is_a_path() {
    let files = tempfile::tempdir().unwrap();
    let store = open(&format!("sqlite:{}", files.path().join("my salon %20 #1.db").display())).await;
    store.migrate().await.unwrap();
    assert!(files.path().join("my salon %20 #1.db").exists());
}

#[tokio::test]
async fn a_database_without_tables_is_unavailable() {
    let files = tempfile::tempdir().unwrap();
    let store = open(&format!("sqlite:{}", files.path().join("empty.db").display())).await;
    refused!(store.app(&id("a")).await, Error::Unavailable(_));
}
