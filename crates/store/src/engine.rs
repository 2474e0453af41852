//! The two databases behind one face: the same SQL text, bound values and rows on SQLite and Postgres.
//! Owns the connection pools and the places where the engines' words differ.
//! Invariant: all writing to SQLite goes through one connection, in transactions begun `immediate`.
//! Knows no table. Next: `list.rs`, which builds the text of filtered queries.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use salon_core::Timestamp;
use serde_json::Value;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, SqlitePool, Transaction};

use crate::error::{Error, Result};

/// How often a transaction that the database gave up is tried again. They collide in bursts, so a few rounds clear one.
pub(crate) const MAX_TRIES: u32 = 8;

#[derive(Clone)]
pub(crate) enum Db {
    Sqlite {
        read: SqlitePool,
        write: SqlitePool,
        /// Keeps other processes out while the file is open, see `open.rs`; none beside a process that has it.
        lock: Option<Arc<File>>,
        unwritable: Unwritable,
    },
    Postgres(PgPool),
}

/// Whether the last write to a SQLite file failed for what it lies on: a disk that is full or broken, a folder that may only be
/// read. A connection that was opened in such a moment may go on failing when it is over, and says so only when it writes.
#[derive(Clone, Default)]
pub(crate) struct Unwritable(Arc<AtomicBool>);

impl Unwritable {
    /// Read-only, I/O error, full, cannot open (https://sqlite.org/rescode.html).
    const CODES: [u32; 4] = [8, 10, 13, 14];

    pub fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// What came of a write.
    fn note<T>(&self, outcome: std::result::Result<T, &sqlx::Error>) {
        match outcome {
            Ok(_) => self.0.store(false, Ordering::Relaxed),
            Err(sqlx::Error::Database(error)) => {
                let code = error.code().and_then(|code| code.parse::<u32>().ok());
                if code.is_some_and(|code| Self::CODES.contains(&(code % 256))) {
                    self.0.store(true, Ordering::Relaxed);
                }
            }
            Err(_) => {}
        }
    }

    fn note_error(&self, error: &Error) {
        if let Error::Unavailable(error) = error {
            self.note::<()>(Err(error));
        }
    }
}

/// A value on its way into a statement. Even a null has a type, as Postgres insists.
#[derive(Debug, Clone)]
pub(crate) enum Arg {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(bool),
    Bytes(Option<Vec<u8>>),
}

/// A row of either engine.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// An open transaction; dropped without `commit`, it is undone.
pub(crate) struct Tx {
    on: On,
    has_written: bool,
    unwritable: Unwritable,
}

enum On {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs a block in a transaction: committed if it is `Ok`, undone if not, repeated while the database gives it up in
/// favour of another. A macro, because a closure that borrows both its surroundings and the transaction cannot yet
/// promise a `Send` future.
macro_rules! transaction {
    ($db:expr, |$tx:ident| $body:block) => {
        $crate::engine::transaction!($db, |$tx| $body, $crate::engine::Tx::finish)
    };
    // `finish` takes the transaction and what came of the block, and commits or undoes.
    ($db:expr, |$tx:ident| $body:block, $finish:path) => {{
        let mut tries = 1;
        loop {
            let mut transaction = $db.begin().await?;
            let outcome: $crate::error::Result<_> = {
                let $tx = &mut transaction;
                async { $body }.await
            };
            match $finish(transaction, outcome).await {
                Err(err) if err.is_retryable() && tries < $crate::engine::MAX_TRIES => {
                    $crate::engine::pause(tries).await;
                    tries += 1;
                }
                outcome => break outcome,
            }
        }
    }};
}
pub(crate) use transaction;

/// Lets the transaction that won go first. Pauses grow from 2 ms to about a quarter of a second.
pub(crate) async fn pause(tries: u32) {
    tokio::time::sleep(std::time::Duration::from_millis(1 << tries.min(8))).await;
}

impl Db {
    /// Reads rows, outside of any transaction.
    pub async fn all(&self, sql: impl SqlSafeStr, args: Vec<Arg>) -> Result<Vec<Row>> {
        let sql = sql.into_sql_str();
        Ok(match self {
            Db::Sqlite { read, .. } => rows(sqlite(sql, args).fetch_all(read).await?, Row::Sqlite),
            Db::Postgres(pool) => rows(postgres(sql, args).fetch_all(pool).await?, Row::Postgres),
        })
    }

    /// Reads at most one row, outside of any transaction.
    pub async fn one(&self, sql: impl SqlSafeStr, args: Vec<Arg>) -> Result<Option<Row>> {
        let sql = sql.into_sql_str();
        Ok(match self {
            Db::Sqlite { read, .. } => sqlite(sql, args).fetch_optional(read).await?.map(Row::Sqlite),
            Db::Postgres(pool) => postgres(sql, args).fetch_optional(pool).await?.map(Row::Postgres),
        })
    }

    /// Runs one writing statement as a transaction of its own; returns how many rows it touched.
    pub async fn run(&self, sql: impl SqlSafeStr, args: Vec<Arg>) -> Result<u64> {
        let sql = sql.into_sql_str();
        let mut tries = 1;
        loop {
            let (sql, args) = (sql.clone(), args.clone());
            let outcome = match self {
                Db::Sqlite { write, unwritable, .. } => {
                    let done = sqlite(sql, args).execute(write).await.map(|done| done.rows_affected());
                    unwritable.note(done.as_ref().map(drop));
                    done
                }
                Db::Postgres(pool) => postgres(sql, args).execute(pool).await.map(|done| done.rows_affected()),
            };
            match outcome.map_err(Error::from) {
                Err(err) if err.is_retryable() && tries < MAX_TRIES => {
                    pause(tries).await;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    pub async fn begin(&self) -> Result<Tx> {
        let (on, unwritable) = match self {
            Db::Sqlite { write, unwritable, .. } => {
                let begun = write.begin_with("begin immediate").await;
                if let Err(error) = &begun {
                    unwritable.note::<()>(Err(error));
                }
                (On::Sqlite(begun?), unwritable.clone())
            }
            Db::Postgres(pool) => {
                // In a task of its own, which ends although whoever waits goes away. sqlx knows of a transaction when it has been
                // answered: one given up before that would stay open, and take in what others write over the same connection.
                let pool = pool.clone();
                let begun = tokio::spawn(async move { pool.begin().await }).await;
                (On::Postgres(begun.map_err(|_| sqlx::Error::WorkerCrashed)??), Unwritable::default())
            }
        };
        Ok(Tx { on, has_written: false, unwritable })
    }

    /// Makes a `select` keep others from changing the rows it found until the transaction ends.
    /// SQLite has no such words and needs none: nobody else writes meanwhile.
    pub fn for_update(&self) -> &'static str {
        match self {
            Db::Sqlite { .. } => "",
            Db::Postgres(_) => " for update",
        }
    }

    /// Makes a `select` keep others from changing the rows it found until the transaction ends, and lets them do the same.
    pub fn for_share(&self) -> &'static str {
        match self {
            Db::Sqlite { .. } => "",
            Db::Postgres(_) => " for share",
        }
    }

    /// Makes a `select` keep others from deleting the rows it found until the transaction ends.
    pub fn for_key_share(&self) -> &'static str {
        match self {
            Db::Sqlite { .. } => "",
            Db::Postgres(_) => " for key share",
        }
    }

    /// As [`Db::for_update`], for those rows only that nobody else holds.
    pub fn for_update_of_free(&self) -> &'static str {
        match self {
            Db::Sqlite { .. } => "",
            Db::Postgres(_) => " for update skip locked",
        }
    }

    /// The words for the moment against which liveness is judged: the database's clock where nodes share one, the
    /// caller's, bound as `given`, where there is only one node.
    pub fn clock(&self, given: &'static str) -> &'static str {
        match self {
            Db::Sqlite { .. } => given,
            Db::Postgres(_) => "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
        }
    }

    /// Only one process uses this database, so no run but this one can be alive.
    pub fn is_alone(&self) -> bool {
        matches!(self, Db::Sqlite { .. })
    }
}

impl Tx {
    pub async fn all(&mut self, sql: impl SqlSafeStr, args: Vec<Arg>) -> Result<Vec<Row>> {
        let sql = sql.into_sql_str();
        Ok(match &mut self.on {
            On::Sqlite(tx) => rows(sqlite(sql, args).fetch_all(&mut **tx).await?, Row::Sqlite),
            On::Postgres(tx) => rows(postgres(sql, args).fetch_all(&mut **tx).await?, Row::Postgres),
        })
    }

    pub async fn one(&mut self, sql: impl SqlSafeStr, args: Vec<Arg>) -> Result<Option<Row>> {
        let sql = sql.into_sql_str();
        Ok(match &mut self.on {
            On::Sqlite(tx) => sqlite(sql, args).fetch_optional(&mut **tx).await?.map(Row::Sqlite),
            On::Postgres(tx) => postgres(sql, args).fetch_optional(&mut **tx).await?.map(Row::Postgres),
        })
    }

    pub async fn run(&mut self, sql: impl SqlSafeStr, args: Vec<Arg>) -> Result<u64> {
        let sql = sql.into_sql_str();
        let touched = match &mut self.on {
            On::Sqlite(tx) => sqlite(sql, args).execute(&mut **tx).await?.rows_affected(),
            On::Postgres(tx) => postgres(sql, args).execute(&mut **tx).await?.rows_affected(),
        };
        self.has_written |= touched > 0;
        Ok(touched)
    }

    /// Runs a statement that writes and returns the row that it touched.
    pub async fn run_returning(&mut self, sql: impl SqlSafeStr, args: Vec<Arg>) -> Result<Option<Row>> {
        let row = self.one(sql, args).await?;
        self.has_written |= row.is_some();
        Ok(row)
    }

    /// Whether any row was touched.
    pub fn has_written(&self) -> bool {
        self.has_written
    }

    /// A `select` that keeps others from changing what it found, as [`Db::for_update`].
    pub fn held(&self, sql: &'static str) -> AssertSqlSafe<String> {
        match self.on {
            On::Sqlite(_) => built(sql.to_owned()),
            On::Postgres(_) => built(format!("{sql} for update")),
        }
    }

    /// Commits if `outcome` is `Ok`, undoes everything if it is not.
    pub async fn finish<T>(self, outcome: Result<T>) -> Result<T> {
        if let Err(error) = &outcome {
            self.unwritable.note_error(error);
        }
        if outcome.is_ok() {
            match self.on {
                On::Sqlite(tx) => {
                    let done = tx.commit().await;
                    if self.has_written || done.is_err() {
                        self.unwritable.note(done.as_ref().map(drop));
                    }
                    done?;
                }
                On::Postgres(tx) => tx.commit().await?,
            }
        } else {
            // The outcome is the better error; a rollback that fails closes the connection, which undoes as well.
            let _ = match self.on {
                On::Sqlite(tx) => tx.rollback().await,
                On::Postgres(tx) => tx.rollback().await,
            };
        }
        outcome
    }
}

fn sqlite(sql: SqlStr, args: Vec<Arg>) -> Query<'static, Sqlite, SqliteArguments> {
    args.into_iter().fold(sqlx::query(sql), |query, arg| match arg {
        Arg::Text(text) => query.bind(text),
        Arg::Int(int) => query.bind(int),
        Arg::Bool(flag) => query.bind(flag),
        Arg::Bytes(bytes) => query.bind(bytes),
    })
}

fn postgres(sql: SqlStr, args: Vec<Arg>) -> Query<'static, Postgres, PgArguments> {
    args.into_iter().fold(sqlx::query(sql), |query, arg| match arg {
        Arg::Text(text) => query.bind(text),
        Arg::Int(int) => query.bind(int),
        Arg::Bool(flag) => query.bind(flag),
        Arg::Bytes(bytes) => query.bind(bytes),
    })
}

fn rows<R>(rows: Vec<R>, wrap: impl Fn(R) -> Row) -> Vec<Row> {
    rows.into_iter().map(wrap).collect()
}

/// Marks text put together by this crate, in which values appear as `$n` only, as fit to run.
pub(crate) fn built(sql: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql)
}

/// Makes the list of values bound to `$1`, `$2` ….
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::engine::Arg::from($value)),*] };
}
pub(crate) use args;

impl From<&str> for Arg {
    /// Postgres cannot store the character NUL. It is replaced here, on both engines alike, because a name someone
    /// chose must never be the reason why a session's record cannot be written.
    fn from(text: &str) -> Self {
        Arg::Text(Some(if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() }))
    }
}

impl From<&String> for Arg {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&Option<String>> for Arg {
    fn from(text: &Option<String>) -> Self {
        text.as_deref().map_or(Arg::Text(None), Arg::from)
    }
}

impl From<i64> for Arg {
    fn from(int: i64) -> Self {
        Arg::Int(Some(int))
    }
}

impl From<u32> for Arg {
    fn from(int: u32) -> Self {
        i64::from(int).into()
    }
}

impl From<u64> for Arg {
    /// Numbers beyond what a database counts to mean "everything" here (offsets), or never occur (event numbers).
    fn from(int: u64) -> Self {
        i64::try_from(int).unwrap_or(i64::MAX).into()
    }
}

impl From<Timestamp> for Arg {
    fn from(time: Timestamp) -> Self {
        time.0.into()
    }
}

impl From<Option<Timestamp>> for Arg {
    fn from(time: Option<Timestamp>) -> Self {
        Arg::Int(time.map(|time| time.0))
    }
}

impl From<bool> for Arg {
    fn from(flag: bool) -> Self {
        Arg::Bool(flag)
    }
}

impl From<&[u8; 32]> for Arg {
    fn from(bytes: &[u8; 32]) -> Self {
        Arg::Bytes(Some(bytes.to_vec()))
    }
}

impl From<Option<[u8; 32]>> for Arg {
    fn from(bytes: Option<[u8; 32]>) -> Self {
        Arg::Bytes(bytes.map(Vec::from))
    }
}

impl From<&[u8]> for Arg {
    fn from(bytes: &[u8]) -> Self {
        Arg::Bytes(Some(bytes.to_vec()))
    }
}

impl From<&Value> for Arg {
    /// JSON is kept as text on both engines: it is never searched inside, `jsonb` refuses the character NUL that
    /// JSON may hold, and text comes back exactly as it was written.
    fn from(json: &Value) -> Self {
        Arg::Text(Some(json.to_string()))
    }
}

impl From<&Option<Value>> for Arg {
    fn from(json: &Option<Value>) -> Self {
        Arg::Text(json.as_ref().map(Value::to_string))
    }
}

macro_rules! id_args {
    ($($id:ty),*) => {$(
        impl From<&$id> for Arg {
            fn from(id: &$id) -> Self {
                Arg::Text(Some(id.as_str().to_owned()))
            }
        }
        impl From<&Option<$id>> for Arg {
            fn from(id: &Option<$id>) -> Self {
                Arg::Text(id.as_ref().map(|id| id.as_str().to_owned()))
            }
        }
        impl Column for $id {
            fn read(text: &str) -> Option<Self> {
                Self::parse(text).ok()
            }
        }
    )*};
}
id_args!(
    salon_core::AccountId,
    salon_core::ApiKeyId,
    salon_core::AppId,
    salon_core::DeliveryId,
    salon_core::FileId,
    salon_core::MeetingId,
    salon_core::ParticipantId,
    salon_core::PeerId,
    salon_core::PresetId,
    salon_core::RecordingId,
    salon_core::SessionId,
    salon_core::WebhookId
);

/// What is kept as text but has a form of its own.
pub(crate) trait Column: Sized {
    fn read(text: &str) -> Option<Self>;
}

impl Row {
    pub fn text(&self, column: &'static str) -> Result<String> {
        self.get(column)
    }

    pub fn text_or_null(&self, column: &'static str) -> Result<Option<String>> {
        self.get(column)
    }

    pub fn id<T: Column>(&self, column: &'static str) -> Result<T> {
        T::read(&self.text(column)?).ok_or(Error::column(column))
    }

    pub fn id_or_null<T: Column>(&self, column: &'static str) -> Result<Option<T>> {
        let Some(text) = self.text_or_null(column)? else { return Ok(None) };
        T::read(&text).map(Some).ok_or(Error::column(column))
    }

    pub fn int(&self, column: &'static str) -> Result<i64> {
        self.get(column)
    }

    pub fn int_or_null(&self, column: &'static str) -> Result<Option<i64>> {
        self.get(column)
    }

    /// An integer that is stored wider than it is used.
    pub fn count<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T> {
        T::try_from(self.int(column)?).map_err(|_| Error::column(column))
    }

    pub fn flag(&self, column: &'static str) -> Result<bool> {
        self.get(column)
    }

    pub fn time(&self, column: &'static str) -> Result<Timestamp> {
        self.int(column).map(Timestamp)
    }

    pub fn time_or_null(&self, column: &'static str) -> Result<Option<Timestamp>> {
        Ok(self.int_or_null(column)?.map(Timestamp))
    }

    pub fn json(&self, column: &'static str) -> Result<Value> {
        serde_json::from_str(&self.text(column)?).map_err(|_| Error::column(column))
    }

    pub fn json_or_null(&self, column: &'static str) -> Result<Option<Value>> {
        let Some(text) = self.text_or_null(column)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|_| Error::column(column))
    }

    pub fn bytes(&self, column: &'static str) -> Result<Vec<u8>> {
        self.get(column)
    }

    pub fn hash(&self, column: &'static str) -> Result<[u8; 32]> {
        self.bytes(column)?.try_into().map_err(|_| Error::column(column))
    }

    pub fn hash_or_null(&self, column: &'static str) -> Result<Option<[u8; 32]>> {
        let bytes: Option<Vec<u8>> = self.get(column)?;
        bytes.map(|bytes| bytes.try_into().map_err(|_| Error::column(column))).transpose()
    }

    fn get<T>(&self, column: &'static str) -> Result<T>
    where
        T: for<'r> sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
        T: for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
    {
        let value = match self {
            Row::Sqlite(row) => row.try_get(column),
            Row::Postgres(row) => row.try_get(column),
        };
        value.map_err(|err| match err {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Error::column(column),
            err => err.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

    use super::*;

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_known_until_something_is_written() {
        let path = std::env::temp_dir().join(format!("salon-unwritable-{}.db", std::process::id()));
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let write = SqlitePoolOptions::new().connect_with(options.clone()).await.unwrap();
        sqlx::query("create table t (a)").execute(&write).await.unwrap();
        let only_read = SqlitePoolOptions::new().connect_with(options.create_if_missing(false).read_only(true)).await.unwrap();
        let unwritable = Unwritable::default();
        let insert = async |pool: &SqlitePool| sqlx::query("insert into t values (1)").execute(pool).await;
        unwritable.note(insert(&only_read).await.as_ref().map(drop));
        assert!(unwritable.is_so());
        // That a statement is wrong says nothing of the file.
        unwritable.note(sqlx::query("nonsense").execute(&write).await.as_ref().map(drop));
        assert!(unwritable.is_so());
        unwritable.note(insert(&write).await.as_ref().map(drop));
        assert!(!unwritable.is_so());
        unwritable.note(sqlx::query("nonsense").execute(&write).await.as_ref().map(drop));
        assert!(!unwritable.is_so());
        let _ = std::fs::remove_file(&path);
    }
}
