//! Query parameters, and the place of a page in its list.
//! Rules for every list: pages count from 1; `page_no` and `per_page` may be written `1.0`, and 0 or nothing means the
//! default; unknown parameters are ignored; of a repeated one the last counts; what narrows a list down is never empty.

use std::convert::Infallible;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use salon_core::Timestamp;
use salon_store::Page;
use salon_wire::rest::SortOrder;
use salon_wire::rest::envelope::Paging;
use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};

use crate::rest::error::ApiError;
use crate::rest::path::PathId;
use crate::rest::settings::PerPage;
use crate::rfc3339::parse_rfc3339;

/// Items on a page when the caller does not say.
const PER_PAGE: u32 = 25;

/// Longest `search`, in characters.
pub const MAX_SEARCH_CHARS: usize = 256;

/// The furthest item asked for: beyond every list, and within the integers of every database.
const MAX_OFFSET: f64 = 1e15;

/// What a caller asked, as pairs of text.
#[derive(Debug)]
pub struct Asked {
    pairs: Vec<(String, String)>,
    most: PerPage,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked
where
    PerPage: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default(), PerPage::from_ref(state)))
    }
}

impl Asked {
    fn parse(query: &str, most: PerPage) -> Self {
        Self { pairs: form_urlencoded::parse(query.as_bytes()).into_owned().collect(), most }
    }

    /// The value of a parameter, empty or not. An empty id, time or word of a list narrows nothing down, so it is a mistake.
    pub fn given(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let value = self.pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match value {
            Some(value) if value.contains('\0') => Err(ApiError::invalid(name, "must not contain the character U+0000")),
            value => Ok(value),
        }
    }

    /// A text or a number; an empty one counts as not given.
    pub fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        Ok(self.given(name)?.filter(|value| !value.is_empty()))
    }

    /// A text that may not be empty: that narrows nothing down.
    pub fn named(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.given(name)? {
            Some("") => Err(ApiError::invalid(name, "is not allowed to be empty")),
            value => Ok(value),
        }
    }

    /// All values of a parameter that is repeated (`a=1&a=2`) or separated by commas (`a=1,2`).
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.pairs.iter().filter(|(key, _)| key == name).flat_map(|(_, values)| values.split(',')).collect()
    }

    pub fn id<T: PathId>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(value) = self.given(name)? else { return Ok(None) };
        T::read(value).map(Some).ok_or_else(|| ApiError::invalid(name, "must be a valid GUID"))
    }

    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.given(name)? {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(ApiError::invalid(name, "must be a boolean")),
        }
    }

    /// One of the values of an enum of the wire.
    pub fn one_of<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(value) = self.given(name)? else { return Ok(None) };
        let value: StrDeserializer<'_, ValueError> = value.into_deserializer();
        T::deserialize(value).map(Some).map_err(|error| {
            let known = error.to_string().split_once("expected ").map_or(String::new(), |(_, known)| known.replace('`', ""));
            ApiError::invalid(name, format_args!("must be {known}"))
        })
    }

    pub fn instant(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(value) = self.given(name)? else { return Ok(None) };
        moment(value).map(Some).ok_or_else(|| ApiError::invalid(name, "must be in ISO 8601 date format"))
    }

    /// The part of a list that is asked for, newest first unless `sort_order` says otherwise.
    pub fn page(&self) -> Result<Page, ApiError> {
        self.page_in(self.one_of::<SortOrder>("sort_order")?)
    }

    /// The same of a list that has words of its own for its order.
    pub fn page_in(&self, order: Option<SortOrder>) -> Result<Page, ApiError> {
        let number = self.count("page_no")?.unwrap_or(1.0);
        let size = self.count("per_page")?.unwrap_or(f64::from(PER_PAGE)).min(f64::from(self.most.0));
        let search = self.text("search")?;
        if search.is_some_and(|search| search.chars().count() > MAX_SEARCH_CHARS) {
            return Err(ApiError::invalid("search", format_args!("must not be longer than {MAX_SEARCH_CHARS} characters")));
        }
        Ok(Page {
            offset: ((number - 1.0) * size).min(MAX_OFFSET) as u64,
            limit: size as u32,
            search: search.map(str::to_owned),
            newest_first: order != Some(SortOrder::Asc),
        })
    }

    /// `limit`: how many items of a list that has no pages; `usual` if nothing is said, `most` if more is.
    pub fn limit(&self, usual: u32, most: u32) -> Result<u32, ApiError> {
        Ok(self.count("limit")?.map_or(usual, |limit| limit.min(f64::from(most)) as u32))
    }

    /// A whole number from 1 up; `None` for 0.
    fn count(&self, name: &str) -> Result<Option<f64>, ApiError> {
        let Some(value) = self.text(name)? else { return Ok(None) };
        match value.parse::<f64>() {
            Ok(number) if !number.is_finite() => Err(ApiError::invalid(name, "must be a number")),
            Ok(number) if number < 0.0 => Err(ApiError::invalid(name, "must be greater than or equal to 0")),
            Ok(number) if number.fract() != 0.0 => Err(ApiError::invalid(name, "must be an integer")),
            Ok(number) => Ok((number > 0.0).then_some(number)),
            Err(_) => Err(ApiError::invalid(name, "must be a number")),
        }
    }
}

/// Where `items` items of `total` lie that were found for `page`.
pub fn paging(page: &Page, items: usize, total: u64) -> Paging {
    let items = items as u64;
    match items {
        0 => Paging { total_count: total, start_offset: 0, end_offset: 0 },
        _ => Paging { total_count: total, start_offset: page.offset + 1, end_offset: page.offset + items },
    }
}

/// A moment in a query, where a `+` that was not escaped arrives as a blank.
pub fn moment(text: &str) -> Option<Timestamp> {
    parse_rfc3339(text).or_else(|| parse_rfc3339(&text.replace(' ', "+")))
}

#[cfg(test)]
mod tests {
    use salon_core::MeetingId;
    use salon_wire::rest::meetings::MeetingStatus;

    use super::*;

    const MOST: PerPage = PerPage(salon_store::MAX_PAGE);

    fn page(query: &str) -> Result<(u64, u32), ApiError> {
        Asked::parse(query, MOST).page().map(|page| (page.offset, page.limit))
    }

    #[test]
    fn pages_count_from_one() {
        let cases = [
            ("", Some((0, 25))),
            ("page_no=1.0&per_page=10.0", Some((0, 10))),
            ("page_no=3&per_page=10", Some((20, 10))),
            ("page_no=0&per_page=0", Some((0, 25))),
            ("page_no=&per_page=", Some((0, 25))),
            ("page_no=7&page_no=2", Some((25, 25))),
            ("per_page=999999", Some((0, salon_store::MAX_PAGE))),
            ("page_no=1e300", Some((1_000_000_000_000_000, 25))),
            ("page_no=-1", None),
            ("page_no=1.5", None),
            ("per_page=ten", None),
            ("per_page=NaN", None),
            ("per_page=inf", None),
            ("sort_order=DSC", None),
            ("search=%00", None),
            ("unknown=%00&page_no=1", Some((0, 25))),
        ];
        for (query, expected) in cases {
            assert_eq!(page(query).ok(), expected, "{query}");
        }
    }

    #[test]
    fn values_are_read_as_the_sdks_write_them() {
        let asked =
            Asked::parse("t=2025-01-02T03%3A04%3A05%2B00%3A00&u=2025-01-02T03:04:05+00:00&v=now&s=ACTIVE&f=a,b&f=c&b=true", MOST);
        let at = parse_rfc3339("2025-01-02T03:04:05Z");
        assert_eq!(asked.instant("t").ok(), Some(at));
        assert_eq!(asked.instant("u").ok(), Some(at));
        assert!(asked.instant("v").is_err());
        assert_eq!(asked.one_of::<MeetingStatus>("s").ok(), Some(Some(MeetingStatus::Active)));
        assert!(asked.one_of::<MeetingStatus>("t").is_err());
        assert_eq!(asked.all("f"), ["a", "b", "c"]);
        assert_eq!((asked.flag("b").ok(), asked.flag("x").ok()), (Some(true), Some(false)));
    }

    #[test]
    fn an_empty_filter_is_a_mistake_and_not_none() {
        let asked = Asked::parse("i=&t=&s=&f=&b=&search=", MOST);
        assert!(asked.id::<MeetingId>("i").is_err() && asked.instant("t").is_err());
        assert!(asked.one_of::<MeetingStatus>("s").is_err() && asked.flag("b").is_err());
        assert_eq!(asked.all("f"), [""]);
        assert_eq!(asked.text("search").ok(), Some(None), "every text has an empty part");
        assert_eq!(asked.id::<MeetingId>("x").ok(), Some(None));
    }

    #[test]
    fn an_empty_page_has_no_offsets() {
        let page = Page { offset: 50, ..Page::default() };
        assert_eq!(paging(&page, 0, 30), Paging { total_count: 30, start_offset: 0, end_offset: 0 });
        assert_eq!(paging(&Page::default(), 25, 30), Paging { total_count: 30, start_offset: 1, end_offset: 25 });
    }
}
