//! Opening and closing a database, and bringing its tables up to date.
//! Invariant: one process at a time has a SQLite file for itself, beside which others look and change rows that it looks up
//! anew each time; any number of nodes may open one Postgres at once.
//! Next: `engine.rs`, which uses the pools made here.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use tokio::time::timeout;

use crate::Store;
use crate::engine::{Db, Unwritable, args, pause};
use crate::error::{Error, Result};
use crate::outbox::Bell;
use crate::writer::Writer;

/// How long Postgres keeps rows for a process that stands still in the middle of a transaction, or is not reached any more: others
/// wait for these, also whoever is to go on with its sessions.
const STANDS_STILL: Duration = Duration::from_secs(2);

/// Which database, and how hard to hold on to what is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOptions {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// SQLite waits for the disk at every commit. Without it the newest commits may be lost when the machine loses
    /// power, though never when only the process dies. Postgres decides this by its own configuration.
    pub durable: bool,
    /// Most connections to Postgres, or reading connections to SQLite. Few are open while there is little to do.
    pub max_connections: u32,
}

/// How long a caller waits for a free connection, or for SQLite's lock, before it hears `Unavailable`.
const BUSY: Duration = Duration::from_secs(5);

/// Connections for saying that a node is alive: one, and one more while that hangs.
const RENEWING: u32 = 2;

/// How long saying so waits for one of these.
const RENEW_WITHIN: Duration = Duration::from_millis(500);

/// How long an unused connection stays open. Longer makes bursts cheaper and an idle server larger.
const IDLE: Duration = Duration::from_secs(30);

/// More threads reading one SQLite file than this only wait for each other.
const MAX_SQLITE_READERS: u32 = 8;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

impl Store {
    /// Opens the database and begins to take appends. The tables may be missing until [`Store::migrate`].
    pub async fn open(options: &OpenOptions) -> Result<Store> {
        let db = if let Some(path) = options.url.strip_prefix("sqlite:") {
            open_sqlite(path, options, Beside::Nobody).await?
        } else if options.url.starts_with("postgres:") || options.url.starts_with("postgresql:") {
            open_postgres(options).await?
        } else {
            return Err(Error::BadUrl("it begins with neither sqlite: nor postgres://".into()));
        };
        let renewals = match &db {
            Db::Sqlite { .. } => db.clone(),
            Db::Postgres(_) => Db::Postgres(postgres_pool(&options.url, RENEWING, RENEW_WITHIN)?),
        };
        Ok(Self::on(db, renewals))
    }

    /// Opens a database that another process may have for itself, to read it, or to change what that process looks up anew
    /// each time: API keys, apps, presets, meetings and participants. Its tables are as that process made them; [`Store::migrate`] is not for this store.
    ///
    /// # Errors
    /// As [`Store::open`], but never `DatabaseInUse`.
    pub async fn open_beside(options: &OpenOptions) -> Result<Store> {
        match options.url.strip_prefix("sqlite:") {
            Some(path) => {
                let db = open_sqlite(path, options, Beside::AnyProcess).await?;
                Ok(Self::on(db.clone(), db))
            }
            None => Self::open(options).await,
        }
    }

    fn on(db: Db, renewals: Db) -> Store {
        let bell = Arc::new(Bell::default());
        Store { writer: Writer::start(db.clone(), bell.clone()), db, renewals, bell }
    }

    /// Brings the tables up to date.
    ///
    /// sqlx would guard this with an advisory lock, which databases that only speak like Postgres do not have. It
    /// needs none: each migration is one transaction together with the note that it was made, so of two nodes that
    /// start at once one fails whole, and finds the work done when it looks again.
    pub async fn migrate(&self) -> Result<()> {
        let mut tries = 1;
        loop {
            let outcome = match &self.db {
                Db::Sqlite { write, .. } => migrator(&SQLITE).run_direct(None, &mut *write.acquire().await?, false).await,
                Db::Postgres(pool) => migrator(&POSTGRES).run_direct(None, &mut *pool.acquire().await?, false).await,
            };
            match outcome {
                Err(err) if tries < MAX_MIGRATE_TRIES && may_be_a_race(&err) => {
                    tracing::debug!(error = %err, "another node may be migrating, looking again");
                    pause(tries + 4).await;
                    tries += 1;
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    /// Whether other nodes may use this database too.
    pub fn is_shared(&self) -> bool {
        !self.db.is_alone()
    }

    /// Answers whether the database answers, and takes what is written.
    pub async fn ping(&self) -> Result<()> {
        if let Db::Sqlite { unwritable, .. } = &self.db
            && unwritable.is_so()
        {
            return Err(sqlx::Error::Protocol("the last write to the database failed".to_owned()).into());
        }
        self.db.one("select 1 as one", args![]).await.map(drop)
    }

    /// Writes what has been queued, then closes every connection. Appends that come later are `Unavailable`.
    pub async fn close(&self) {
        self.writer.close().await;
        match &self.db {
            Db::Sqlite { read, write, lock, .. } => {
                read.close().await;
                // Last, because the last connection to close folds the log back into the file.
                write.close().await;
                // Clones of this store may live on, but nothing can come of them any more.
                let _ = lock.as_ref().map(|lock| lock.unlock());
            }
            Db::Postgres(pool) => {
                pool.close().await;
                if let Db::Postgres(renewals) = &self.renewals {
                    renewals.close().await;
                }
            }
        }
    }
}

/// How often a failed migration is looked at again. As many nodes may start at the same moment; raising it makes a
/// broken migration take longer to say so than these one and a half seconds.
const MAX_MIGRATE_TRIES: u32 = 8;

/// The migrations as they are run: without sqlx's lock, and content with a database that is one release ahead, which
/// is what a node meets that restarts while the others are being replaced.
fn migrator(migrations: &'static Migrator) -> Migrator {
    let mut migrator = Migrator::with_migrations(migrations.iter().cloned().collect());
    migrator.set_locking(false).set_ignore_missing(true);
    migrator
}

/// Errors of the database may come from another node's doing; a migration that was edited after it ran does not.
fn may_be_a_race(err: &sqlx::migrate::MigrateError) -> bool {
    use sqlx::migrate::MigrateError::{Execute, ExecuteMigration};
    matches!(err, Execute(sqlx::Error::Database(_)) | ExecuteMigration(sqlx::Error::Database(_), _))
}

/// With whom a SQLite file is shared.
#[derive(PartialEq, Eq)]
enum Beside {
    Nobody,
    AnyProcess,
}

async fn open_sqlite(path: &str, options: &OpenOptions, beside: Beside) -> Result<Db> {
    // `sqlite://PATH` is common too; what follows the slashes is the path.
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.starts_with(":memory:") || path.contains('?') {
        return Err(Error::BadUrl("sqlite: must be followed by the path of a file".into()));
    }
    let path = Path::new(path);
    let lock = if beside == Beside::Nobody { Some(Arc::new(lock_file(path)?)) } else { None };
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(lock.is_some())
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if options.durable { SqliteSynchronous::Full } else { SqliteSynchronous::Normal })
        .busy_timeout(BUSY)
        .foreign_keys(true);
    let unwritable = Unwritable::default();
    let failed = unwritable.clone();
    let write = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(BUSY)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // A full disk has SQLite take a transaction back by itself, of which sqlx hears nothing: it would begin no other one. And
        // one that was opened while nothing could be written keeps its log open for reading only.
        .before_acquire(move |connection, _| {
            let is_bad = failed.is_so();
            Box::pin(async move { Ok(!is_bad && !connection.is_in_transaction()) })
        })
        .connect_with(connect)
        .await?;
    let connect = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY);
    let read = SqlitePoolOptions::new()
        .max_connections(options.max_connections.clamp(1, MAX_SQLITE_READERS))
        .acquire_timeout(BUSY)
        .idle_timeout(IDLE)
        .test_before_acquire(false)
        .connect_lazy_with(connect);
    Ok(Db::Sqlite { read, write, lock, unwritable })
}

/// Locks a file next to the database, for as long as it stays open. The database file itself is SQLite's to lock:
/// closing a second handle to it would drop SQLite's own locks.
fn lock_file(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let bad = |err: std::io::Error| Error::BadUrl(format!("{}: {err}", name.display()));
    let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(bad)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::DatabaseInUse(path.display().to_string())),
        Err(TryLockError::Error(err)) => Err(bad(err)),
    }
}

async fn open_postgres(options: &OpenOptions) -> Result<Db> {
    let pool = postgres_pool(&options.url, options.max_connections.max(2), BUSY)?;
    // A wrong address is told now.
    if let Err(error) = pool.acquire().await {
        // The pool tries again until it has nothing but that to say. The database says why.
        let options = pool.connect_options();
        let direct = PgConnection::connect_with(&options);
        if matches!(error, sqlx::Error::PoolTimedOut)
            && let Ok(tried) = timeout(BUSY, direct).await
        {
            tried?.close().await?;
        }
        return Err(error.into());
    }
    Ok(Db::Postgres(pool))
}

/// A pool that connects when it is first used.
fn postgres_pool(url: &str, max_connections: u32, within: Duration) -> Result<PgPool> {
    let connect = PgConnectOptions::from_str(url).map_err(|err| match err {
        sqlx::Error::Configuration(err) => Error::BadUrl(err.to_string()),
        err => err.into(),
    })?;
    let pool = PgPoolOptions::new().max_connections(max_connections).acquire_timeout(within).idle_timeout(IDLE);
    let pool = pool.after_connect(|connection, _| {
        let sql = format!("set idle_in_transaction_session_timeout = {}", STANDS_STILL.as_millis());
        Box::pin(async move { connection.execute(AssertSqlSafe(sql)).await.map(drop) })
    });
    Ok(pool.connect_lazy_with(connect.application_name("salon")))
}
