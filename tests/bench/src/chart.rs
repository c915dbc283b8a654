//! The comparison as a picture: SVG that follows the reader's light or dark theme.
//!
//! Three panels beside each other (throughput, p99, processor time), each with a bar for every variant, a line where
//! the Channel is, and a whisker from quartile to quartile. One such row of panels for each cell.

use std::fmt::{self, Write as _};

use crate::client::Variant;
use crate::compare::{Cell, Row};
use crate::stats::Spread;

const NAMES: f64 = 190.0;
const PANEL: f64 = 210.0;
const GAP: f64 = 70.0;
const BAR: f64 = 14.0;
const PITCH: f64 = 25.0;
const HEAD: f64 = 78.0;
const FOOT: f64 = 34.0;
const WIDTH: f64 = NAMES + 3.0 * (PANEL + GAP) + 10.0;

const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#1f2328}\
.title{font-size:16px;font-weight:600}.panel{font-weight:600}.quiet{fill:#656d76}.value{font-size:12px;paint-order:stroke;stroke:#fff;\
stroke-width:4px}\
.ours{font-weight:600}.bar{fill:#b6bec9}.base{fill:#8a939f}.us{fill:#1a7f5a}.line{stroke:#656d76;stroke-width:1;\
stroke-dasharray:3 3}.whisker{stroke:#1f2328;stroke-width:1.25;opacity:.55}.page{fill:#fff}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.value{stroke:#0d1117}.quiet{fill:#8d96a0}.bar{fill:#4a525c}.base{fill:#717a85}\
.us{fill:#3fb98a}.line{stroke:#8d96a0}.whisker{stroke:#e6edf3}.page{fill:#0d1117}}";

/// One of the three panels.
struct Panel {
    title: &'static str,
    hint: &'static str,
    ratio: fn(&Row) -> Spread,
}

const PANELS: [Panel; 3] = [
    Panel {
        title: "Throughput",
        hint: "more is better",
        ratio: |row| row.throughput,
    },
    Panel {
        title: "p99 of a call",
        hint: "less is better",
        ratio: |row| row.p99,
    },
    Panel {
        title: "Client CPU per call",
        hint: "less is better",
        ratio: |row| row.cpu,
    },
];

/// All cells, one below the other.
#[derive(Debug)]
pub struct Chart<'a>(pub &'a [(Cell, Vec<Row>)]);

impl fmt::Display for Chart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let height: f64 = self.0.iter().map(|(_, rows)| block_height(rows)).sum();
        writeln!(
            f,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">"#
        )?;
        writeln!(f, "<title>Ratios to a bare tonic Channel in the same run</title>")?;
        writeln!(f, "<style>{STYLE}</style>")?;
        writeln!(f, r#"<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>"#)?;
        let mut top = 0.0;
        for (cell, rows) in self.0 {
            block(f, top, cell, rows)?;
            top += block_height(rows);
        }
        writeln!(f, "</svg>")
    }
}

fn block_height(rows: &[Row]) -> f64 {
    HEAD + PITCH * rows.len() as f64 + FOOT
}

/// The panels of one cell, the fastest variant on top.
fn block(f: &mut fmt::Formatter<'_>, top: f64, cell: &Cell, rows: &[Row]) -> fmt::Result {
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by(|a, b| b.throughput.median.total_cmp(&a.throughput.median));
    text(f, "title", "start", 16.0, top + 28.0, &cell.to_string())?;
    for (index, row) in sorted.iter().enumerate() {
        let class = if row.variant.is_ours() { "ours" } else { "" };
        let y = top + HEAD + PITCH * index as f64 + BAR - 2.5;
        text(f, class, "end", NAMES - 12.0, y, row.variant.title())?;
    }
    for (index, panel) in PANELS.iter().enumerate() {
        let left = NAMES + index as f64 * (PANEL + GAP);
        draw(f, left, top, panel, &sorted)?;
    }
    let note = "Medians of ratios to a bare tonic Channel in the same run; whiskers show the quartiles.";
    text(f, "quiet value", "start", 16.0, top + block_height(rows) - 12.0, note)
}

fn draw(f: &mut fmt::Formatter<'_>, left: f64, top: f64, panel: &Panel, rows: &[&Row]) -> fmt::Result {
    text(f, "panel", "start", left, top + 54.0, panel.title)?;
    text(f, "quiet value", "end", left + PANEL + 34.0, top + 54.0, panel.hint)?;
    let scale = PANEL / axis_end(rows.iter().map(|row| (panel.ratio)(row)));
    // What would not fit is cut off at the panel's end; its number says what it is.
    let place = |ratio: f64| (ratio * scale).clamp(0.0, PANEL);
    // Below the bars and their numbers, so that it crosses out neither.
    let (x, from) = (left + place(1.0), top + HEAD - 7.0);
    let to = top + HEAD + PITCH * rows.len() as f64;
    writeln!(
        f,
        r#"<line class="line" x1="{x:.1}" x2="{x:.1}" y1="{from:.1}" y2="{to:.1}"/>"#
    )?;
    for (index, row) in rows.iter().enumerate() {
        let ratio = (panel.ratio)(row);
        let y = top + HEAD + PITCH * index as f64;
        let (width, middle) = (place(ratio.median), y + BAR / 2.0);
        let class = bar_class(row);
        writeln!(
            f,
            r#"<rect class="{class}" x="{left:.1}" y="{y:.1}" width="{width:.1}" height="{BAR}" rx="2"/>"#
        )?;
        let (low, high) = (left + place(ratio.low), left + place(ratio.high));
        writeln!(
            f,
            r#"<line class="whisker" x1="{low:.1}" x2="{high:.1}" y1="{middle:.1}" y2="{middle:.1}"/>"#
        )?;
        let mut label = String::new();
        write!(label, "{:.2}", ratio.median)?;
        let weight = if row.variant.is_ours() { "value ours" } else { "value" };
        text(f, weight, "start", high.max(left + width) + 6.0, y + BAR - 2.5, &label)?;
    }
    Ok(())
}

/// As far as the median of the largest goes, but never more than four times the Channel: the differences that matter
/// are below that.
fn axis_end(ratios: impl Iterator<Item = Spread>) -> f64 {
    ratios
        .map(|ratio| ratio.high)
        .filter(|high| high.is_finite())
        .fold(1.2, f64::max)
        .min(4.0)
}

fn bar_class(row: &Row) -> &'static str {
    match row.variant {
        variant if variant.is_ours() => "us",
        Variant::Channel => "base",
        _ => "bar",
    }
}

fn text(f: &mut fmt::Formatter<'_>, class: &str, anchor: &str, x: f64, y: f64, content: &str) -> fmt::Result {
    writeln!(
        f,
        r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{content}</text>"#
    )
}
