#include "evoke/proposers/llm/prompt_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace evoke::llm {
namespace {

using testing::HasSubstr;

const TemplateSource kOther{"other.txt", "[{{a}}]\n"};
const TemplateSource kEndless{"endless.txt", "{{> endless}}"};

const TemplateSource* lookup(std::string_view name) {
  if (name == "other") return &kOther;
  return name == "endless" ? &kEndless : nullptr;
}

Result<PromptTemplate> parse(const std::string& text) {
  return PromptTemplate::parse({"t.txt", text}, {"a", "b"}, lookup);
}

std::string filled(const std::string& text, const PromptValues& values) {
  const auto parsed = parse(text);
  return parsed ? parsed->fill(values) : "error: " + parsed.error().message;
}

TEST(PromptTemplate, FillsValuesAsTheyAre) {
  EXPECT_EQ(filled("x {{a}} {{ b }}\n", {{"a", "{{b}}"}, {"b", "2"}}),
            "x {{b}} 2\n");
  EXPECT_EQ(filled("x{{a}}y", {}), "xy");
}

TEST(PromptTemplate, ShowsSectionsThatHaveAValue) {
  const std::string text = "1\n{{#a}}\n2 {{a}}\n{{/a}}\n3 {{#b}}in{{/b}}\n";
  EXPECT_EQ(filled(text, {{"a", "x"}}), "1\n2 x\n3 \n");
  EXPECT_EQ(filled(text, {{"b", "x"}}), "1\n3 in\n");
  EXPECT_EQ(filled("{{#a}}{{#b}}both{{/b}}{{/a}}", {{"a", "1"}, {"b", "1"}}),
            "both");
  EXPECT_EQ(filled("{{#a}}{{#b}}both{{/b}}{{/a}}.", {{"b", "1"}}), ".");
}

TEST(PromptTemplate, IncludesOthers) {
  EXPECT_EQ(filled("1\n{{> other}}\n2\n", {{"a", "x"}}), "1\n[x]\n2\n");
  EXPECT_EQ(filled("{{! nothing }}\n{{> other}}", {}), "[]\n");
}

TEST(PromptTemplate, ErrorsNamePathAndLine) {
  const auto error = [](const std::string& text) {
    const auto parsed = parse(text);
    return parsed ? std::string("none") : parsed.error().message;
  };
  EXPECT_THAT(error("\n{{c}}"), HasSubstr("t.txt:2: unknown name 'c'"));
  EXPECT_THAT(error("{{a"), HasSubstr("t.txt:1: {{ has no }}"));
  EXPECT_THAT(error("{{#a}}"), HasSubstr("{{#a}} does not end"));
  EXPECT_THAT(error("{{/a}}"), HasSubstr("closes no section"));
  EXPECT_THAT(error("{{#a}}{{#b}}{{/a}}{{/b}}"),
              HasSubstr("closes no section"));
  EXPECT_THAT(error("{{> no}}"), HasSubstr("no template 'no'"));
  EXPECT_THAT(error("{{> endless}}"), HasSubstr("without end"));
  EXPECT_THAT(error("{{}}"), HasSubstr("unknown name ''"));
}

TEST(PromptTemplate, KnowsItsNames) {
  EXPECT_THAT(parse("{{#a}}{{/a}}")->names(), testing::ElementsAre("a"));
}

}  // namespace
}  // namespace evoke::llm
