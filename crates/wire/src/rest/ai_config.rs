//! A meeting's transcription and summary settings, the same shape in requests and answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::number;

/// What is to be written down of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AiConfig {
    /// Speech to text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub transcription: Option<TranscriptionConfig>,
    /// A summary after the transcript.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub summarization: Option<SummarizationConfig>,
}

/// How speech becomes text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TranscriptionConfig {
    /// Words the recogniser should expect, such as names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub keywords: Option<Vec<String>>,
    /// A language code such as `en-US`. Any code is taken: the SDKs list ten, the product guide many more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = "en-US", nullable = false)]
    pub language: Option<String>,
    /// Masks profanity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(default = false, nullable = false)]
    pub profanity_filter: Option<bool>,
}

/// What the summary looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SummarizationConfig {
    /// The kind of meeting the summary is written for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub summary_type: Option<SummaryType>,
    /// Markup of the summary.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub text_format: Option<SummaryTextFormat>,
    /// Upper bound in words.
    #[serde(default, deserialize_with = "number::whole_or_absent", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 150, maximum = 1000, default = 500, nullable = false)]
    pub word_limit: Option<u32>,
}

/// The kind of meeting a summary is written for; `general` unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SummaryType {
    General,
    TeamMeeting,
    SalesCall,
    ClientCheckIn,
    Interview,
    DailyStandup,
    OneOnOneMeeting,
    Lecture,
    CodeReview,
}

/// Markup of a summary; `markdown` unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SummaryTextFormat {
    PlainText,
    Markdown,
}
