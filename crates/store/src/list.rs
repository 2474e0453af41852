//! Lists: which part of one, what it must contain, and the text of the query that finds it.
//! Invariant: values from outside are bound, never written into the text; a list always has an end.
//! Next: `apps.rs`, the simplest table that is listed.

use salon_core::Timestamp;

use crate::engine::{Arg, Db, Row, built};
use crate::error::Result;

/// Most rows one answer holds. More would make one request hold a connection and memory for others' turns.
pub const MAX_PAGE: u32 = 1000;

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Rows to skip.
    pub offset: u64,
    /// Rows to return; more than [`MAX_PAGE`] are never returned.
    pub limit: u32,
    /// Only rows that contain this, in any case of letters. Which columns are searched is said at each list.
    pub search: Option<String>,
    /// By creation time, falling instead of rising.
    pub newest_first: bool,
}

impl Default for Page {
    fn default() -> Self {
        Self { offset: 0, limit: 25, search: None, newest_first: true }
    }
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// How many there are in all, on this page and off it.
    pub total: u64,
}

/// A `where` that grows.
pub(crate) struct Filter {
    sql: String,
    args: Vec<Arg>,
}

impl Filter {
    /// Begins with a condition in which each `?` stands for the value given.
    pub fn new(condition: &str, value: impl Into<Arg>) -> Self {
        let mut filter = Self { sql: String::new(), args: Vec::new() };
        filter.and(condition, value);
        filter
    }

    /// Adds a condition in which each `?` stands for `value`.
    pub fn and(&mut self, condition: &str, value: impl Into<Arg>) {
        self.args.push(value.into());
        self.and_fixed(&condition.replace('?', &format!("${}", self.args.len())));
    }

    /// Adds a condition that holds no value.
    pub fn and_fixed(&mut self, condition: &str) {
        self.sql.push_str(if self.sql.is_empty() { " where " } else { " and " });
        self.sql.push_str(condition);
    }

    /// Keeps rows whose `column`, made by [`search_text`], contains `search`.
    pub fn and_search(&mut self, column: &str, search: Option<&str>) {
        if let Some(search) = search.filter(|search| !search.is_empty()) {
            self.and(&format!("{column} like ? escape '\\'"), &like(search));
        }
    }

    /// Keeps rows whose `column` is not before `from` and not after `to`.
    pub fn and_between(&mut self, column: &str, from: Option<Timestamp>, to: Option<Timestamp>) {
        if let Some(from) = from {
            self.and(&format!("{column} >= ?"), from);
        }
        if let Some(to) = to {
            self.and(&format!("{column} <= ?"), to);
        }
    }

    /// Keeps rows that come before one in the order of [`by_creation`], the newest first.
    pub fn and_before(&mut self, created_at: Timestamp, id: impl Into<Arg>) {
        self.args.push(created_at.into());
        self.args.push(id.into());
        let (at, id) = (self.args.len() - 1, self.args.len());
        self.and_fixed(&format!("(s.created_ms, s.id) < (${at}, ${id})"));
    }

    /// Reads the first rows of `select {columns} from {tables}` under this filter, without counting the others.
    pub async fn first<T>(
        self,
        db: &Db,
        (columns, tables): (&str, &str),
        order: &str,
        limit: u32,
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let Filter { sql: condition, mut args } = self;
        args.push(limit.min(MAX_PAGE).into());
        let limit = args.len();
        let sql = format!("select {columns} from {tables}{condition} order by {order} limit ${limit}");
        db.all(built(sql), args).await?.iter().map(read).collect()
    }

    /// Reads one page of `select {columns} from {tables}` under this filter, and the number of rows on all pages.
    /// `order` may hold `?` for `order_value`.
    pub async fn list<T>(
        self,
        db: &Db,
        (columns, tables): (&str, &str),
        (order, order_value): (&str, Option<Arg>),
        page: &Page,
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Listing<T>> {
        let total = self.count(db, tables).await?;
        self.part(db, (columns, tables), (order, order_value), (page, total), read).await
    }

    /// The number of rows under this filter.
    pub async fn count(&self, db: &Db, tables: &str) -> Result<u64> {
        let count = format!("select count(*) as total from {tables}{}", self.sql);
        db.one(built(count), self.args.clone()).await?.map_or(Ok(0), |row| row.count("total"))
    }

    /// As [`Filter::list`], of a list that is known to have `total` rows.
    pub async fn part<T>(
        self,
        db: &Db,
        (columns, tables): (&str, &str),
        (order, order_value): (&str, Option<Arg>),
        (page, total): (&Page, u64),
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Listing<T>> {
        let Filter { sql: condition, mut args } = self;
        if page.offset >= total || page.limit == 0 {
            return Ok(Listing { items: Vec::new(), total });
        }
        let mut order = order.to_owned();
        if let Some(value) = order_value {
            args.push(value);
            order = order.replace('?', &format!("${}", args.len()));
        }
        args.push(page.limit.min(MAX_PAGE).into());
        args.push(page.offset.into());
        let (limit, offset) = (args.len() - 1, args.len());
        let sql = format!("select {columns} from {tables}{condition} order by {order} limit ${limit} offset ${offset}");
        let rows = db.all(built(sql), args).await?;
        Ok(Listing { items: rows.iter().map(read).collect::<Result<_>>()?, total })
    }
}

/// The words for an order by creation. The id decides between equal times, so that pages never overlap.
pub(crate) fn by_creation(page: &Page) -> (&'static str, Option<Arg>) {
    (if page.newest_first { "created_ms desc, id desc" } else { "created_ms, id" }, None)
}

/// What a row is found by: the values in small letters, one a line. It is a column of its own because the two
/// engines know different alphabets (SQLite lowers ASCII only).
pub(crate) fn search_text(values: &[&str]) -> String {
    values.join("\n").to_lowercase()
}

/// The pattern that finds `search` anywhere in a [`search_text`], taking `%`, `_` and `\` as plain letters.
fn like(search: &str) -> String {
    let mut pattern = String::from("%");
    for letter in search.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_a_pattern_are_plain_letters() {
        assert_eq!(like("100%_\\Ä'"), "%100\\%\\_\\\\ä'%");
    }

    #[test]
    fn conditions_are_numbered_in_order() {
        let mut filter = Filter::new("app_id = ?", "a");
        filter.and("x between ? and ? + 1", 3_i64);
        filter.and_search("search_text", Some(""));
        assert_eq!(filter.sql, " where app_id = $1 and x between $2 and $2 + 1");
        assert_eq!(filter.args.len(), 2);
    }
}
