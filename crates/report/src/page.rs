//! A document as one HTML file that can be passed on: no script, nothing loaded from elsewhere, light and dark.

use crate::document::{Align, Block, Card, CardValue, Cell, Document, Grid, Section, Tone};
use crate::html::Html;
use crate::plot::Plot;
use crate::svg;

/// The one style sheet of all pages.
const STYLE: &str = include_str!("style.css");

impl Document {
    /// Renders the document as a page that needs no other file.
    pub fn to_html(&self) -> String {
        let mut html = Html::with_capacity(48 * 1024);
        html.markup("<!doctype html>\n").nested("html", &[("lang", &"en")], |html| {
            html.markup("\n<head>\n<meta charset=\"utf-8\">\n");
            html.markup("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
            html.element("title", &[], &self.title);
            html.markup("\n<style>\n").markup(STYLE).markup("</style>\n</head>\n");
            html.nested("body", &[], |html| self.body(html)).markup("\n");
        });
        html.markup("\n");
        html.into_string()
    }

    fn body(&self, html: &mut Html) {
        html.markup("\n").element("p", &[("class", &"subject")], &self.subject).markup("\n");
        html.element("h1", &[("class", &class(self.tone))], &self.headline).markup("\n");
        if !self.tiles.is_empty() {
            html.nested("div", &[("class", &"tiles")], |html| {
                for tile in &self.tiles {
                    let class = format!("tile {}", class(tile.tone));
                    html.markup("\n").nested("div", &[("class", &class)], |html| {
                        html.element("b", &[], &tile.value).element("span", &[], &tile.caption);
                    });
                }
            });
        }
        html.markup("\n").nested("main", &[], |html| {
            for part in &self.sections {
                section(html, part);
            }
        });
        if !self.notes.is_empty() {
            html.markup("\n").nested("footer", &[], |html| {
                for note in &self.notes {
                    html.element("p", &[], note);
                }
            });
        }
        html.markup("\n");
    }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Muted => "muted",
        Tone::Good => "good",
        Tone::Note => "note",
        Tone::Warning => "warning",
        Tone::Error => "error",
    }
}

fn section(html: &mut Html, section: &Section) {
    let class = if section.half { "half" } else { "whole" };
    html.markup("\n").nested("section", &[("class", &class)], |html| {
        if !section.title.is_empty() {
            html.markup("\n").element("h2", &[], &section.title);
        }
        for part in &section.blocks {
            html.markup("\n");
            block(html, part);
        }
        html.markup("\n");
    });
}

fn block(html: &mut Html, block: &Block) {
    match block {
        Block::Text(tone @ (Tone::Plain | Tone::Muted), text) => {
            html.element("p", &[("class", &class(*tone))], text);
        }
        Block::Text(tone, text) => {
            html.element("p", &[("class", &format!("say {}", class(*tone)))], text);
        }
        Block::Grid(grid) => table(html, grid),
        Block::Card(card) => article(html, card),
        Block::Chart(chart) => {
            html.nested("figure", &[("class", &"scroll")], |html| svg::chart(html, chart));
        }
        Block::Plot(plot) => figure(html, plot),
    }
}

fn article(html: &mut Html, card: &Card) {
    html.nested("article", &[("class", &class(card.tone))], |html| {
        html.markup("\n").nested("div", &[("class", &"meta")], |html| {
            html.element("b", &[], &card.severity).text(" ").text(&card.meta);
        });
        html.markup("\n").element("h3", &[], &card.title).markup("\n").nested("dl", &[], |html| {
            for entry in &card.entries {
                html.markup("\n").element("dt", &[], entry.label);
                html.nested("dd", &[], |html| value(html, &entry.value));
            }
        });
        html.markup("\n");
    });
}

fn value(html: &mut Html, value: &CardValue) {
    match value {
        CardValue::Text(text) => {
            html.element("p", &[], text);
        }
        CardValue::Items(items) => {
            html.nested("ul", &[], |html| {
                for item in items {
                    html.element("li", &[], item);
                }
            });
        }
        CardValue::Command(command) => {
            html.element("code", &[], command);
        }
        CardValue::Code { reason, text, .. } => {
            if !reason.is_empty() {
                html.element("p", &[], reason);
            }
            html.element("pre", &[], text.trim_matches('\n'));
        }
    }
}

fn table(html: &mut Html, grid: &Grid) {
    let row = |html: &mut Html, tag: &'static str, cells: &mut dyn Iterator<Item = &Cell>| {
        html.markup("\n").nested("tr", &[], |html| {
            for (cell, column) in cells.zip(&grid.columns) {
                match (column.align, cell.tone) {
                    (Align::Right, _) => html.element(tag, &[("class", &"number")], &cell.text),
                    (Align::Left, Tone::Plain) => html.element(tag, &[], &cell.text),
                    (Align::Left, tone) => html.element(tag, &[("class", &class(tone))], &cell.text),
                };
            }
        });
    };
    html.nested("div", &[("class", &"scroll")], |html| {
        html.nested("table", &[], |html| {
            if grid.has_head() {
                let names: Vec<Cell> =
                    grid.columns.iter().map(|column| column.name.as_str().into()).collect();
                row(html, "th", &mut names.iter());
            }
            for cells in &grid.rows {
                row(html, "td", &mut cells.iter());
            }
            html.markup("\n");
        });
    });
}

fn figure(html: &mut Html, plot: &Plot) {
    html.nested("figure", &[], |html| {
        html.nested("div", &[("class", &"scroll")], |html| svg::plot(html, plot));
        if plot.legend.is_empty() {
            return;
        }
        html.nested("figcaption", &[], |html| {
            for (colour, name) in &plot.legend {
                html.nested("span", &[], |html| {
                    html.element("i", &[("class", &colour.class())], "").text(name);
                });
            }
        });
    });
}
