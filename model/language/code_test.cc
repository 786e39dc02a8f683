#include "model/language/code.h"

#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

// Without what was blanked out; runs of blanks as one.
std::string Left(std::string text) {
  BlankCode(&text);
  std::string left;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\n' || c == '\t';
    if (!blank) {
      left.push_back(c);
    } else if (!left.empty() && left.back() != ' ') {
      left.push_back(' ');
    }
  }
  if (!left.empty() && left.back() == ' ') left.pop_back();
  return left;
}

TEST(BlankCodeTest, CodeGoesAndTheQuestionBesideItStays) {
  EXPECT_EQ(Left("Warum for i in range(10): print(i)"), "Warum");
  EXPECT_EQ(Left("이 약은 얼마나? select name from users"), "이 약은 얼마나?");
  EXPECT_EQ(Left("这个药要吃多久？for i in range(10): print(i)"),
            "这个药要吃多久？");
  EXPECT_EQ(Left("Why does select name, dose from users where age > 65 fail?"),
            "Why does fail?");
  EXPECT_EQ(Left("Qué hace {\"name\": \"Anna Smith\", \"age\": 30} aquí"),
            "Qué hace aquí");
  EXPECT_EQ(Left("Mein Code:\ndef f(x):\n  return x\nWas ist falsch?"),
            "Mein Code: Was ist falsch?");
  EXPECT_EQ(Left("print(\"hello world\") geht nicht."), "geht nicht.");
  EXPECT_EQ(Left("git commit -m \"fix\""), "");
  EXPECT_EQ(Left("let x = 5 # the patient's weight"), "");
  EXPECT_EQ(Left("body {\n  color: red;\n}\nfunktioniert nicht"),
            "funktioniert nicht");
}

TEST(BlankCodeTest, ProseStays) {
  for (const char* prose : {
           "I take metformin; he (my father) takes none [yet].",
           "Is it for the heart, or for the lungs? If not, then what else?",
           "Please select one from the list and return it",
           "select a doctor from our town",
           "create table of foods to avoid with gout",
           "update on my results set for tomorrow",
           "return to work after surgery",
           "import of medicine into the country",
           "insert into the vein",
           "Let me know if the new class of drugs is safe for children.",
           "the medicine(s) that it takes",
           "a and/or b, e.g. this one: fever",
           "- fièvre ;\n- toux ;\n- maux de tête ;",
           "name: John\nAge: 45",
           "Symptome: Fieber, Husten",
           "fever > 39 since Monday, 2 + 3 tablets",
           "\"yes\" or \"no\": which one?",
           "# Fever\nWhat helps?",
           "$20 for 30% of them!",
           "wait... what -- really?",
       }) {
    EXPECT_EQ(Left(prose), Left(std::string(prose) + " ")) << prose;
    std::string text = prose;
    BlankCode(&text);
    EXPECT_EQ(text, prose);
  }
}

// What people write about their health, with the signs that code has too.
TEST(BlankCodeTest, MedicalTextStays) {
  for (const char* prose : {
           // Lists of "key: value".
           "- Температура: 38\n- Давление: 140/90\n- Пульс: 95",
           "- 体温:38\n- 血压:140\n- 心率:90",
           "- 体温: 38\n- 血压: 140\n- 心率: 90",
           "- Fieber: ja\n- Husten: nein\n- Durchfall: ja",
           "alter: 45\ngeschlecht: weiblich\nbeschwerden: kopfschmerzen",
           "patient:\n  alter: 45\n  geschlecht: weiblich\n  beschwerden: "
           "husten",
           "- fiebre:\n- tos:\n- dolor:",
           "hbA1c: 8\nalter: 45\nhusten: ja",
           // Words of shells.
           "sudo molto di notte e ho la febbre",
           "¿Por qué sudo tanto por la noche?",
           "sudo -mucho- por la noche",
           "También sed y/o cansancio",
           "sed y/o cansancio desde ayer",
           "sed -y cansancio- desde ayer",
           "cat - scratch on my hand",
           "cat -bit my hand",
           "FROM yesterday on I have fever",
           "RUN 5 km and my knee hurts",
           // Words of languages of programming.
           "my head hurts a lot;\nmy stomach aches;\nmy eyes are red;",
           "my pain (left) is bad;",
           "new rash (red);",
           "long cough (dry);",
           "return tomorrow;",
           "What is \"high blood pressure\"",
           "Is \"blood thinner\" the same as aspirin",
           "say \"ah\" hurts my throat",
           "private double room (with bath)",
           "insert into vein (left)",
           "delete from diet",
           "create table (weekly) of foods",
           // Remarks in brackets.
           "Fieber(39), Husten(trocken) und Kopfschmerzen(stark)",
           "fiebre(39) tos(seca) dolor(cabeza)",
           "dolor(cabeza, cuello) fiebre(38,5)",
           "Fieber (hoch); Husten (stark); Schmerzen (Kopf);",
           "Diabetes[2] und Krankheit[3] im Alter[4]",
           "Schmerzen (im Bauch (links)), seit gestern",
           // Signs between words.
           "Symptome\n====\n- Fieber\n- Husten\n- Durchfall",
           "fiebre // tos // dolor",
           "Fieber -> Husten => Schnupfen",
           "Fieber && Husten || Schnupfen",
           "Symptome :: Fieber :: Husten",
           "Fieber >= 39 seit Montag",
           "hola tengo tos ^^ y fiebre ^^",
           "me duele la cabeza )) y tengo tos ))",
           "Protein++ im Urin",
           "3x /day and --never at night",
           "{Ich habe seit gestern starke Schmerzen}",
           "{Kopfschmerzen seit gestern}",
       }) {
    std::string text = prose;
    BlankCode(&text);
    EXPECT_EQ(text, prose);
  }
}

TEST(BlankCodeTest, AnAssignmentLeavesItsNeighbours) {
  EXPECT_EQ(Left("HbA1c = 8.2\nIch nehme Metformin seit Mai (zweimal am Tag)"),
            "Ich nehme Metformin seit Mai (zweimal am Tag)");
  EXPECT_EQ(Left("HbA1c = 8.2\n  Metformin (1000 mg)\n# Husten\n* Fieber"),
            "Metformin (1000 mg) # Husten * Fieber");
  EXPECT_EQ(Left("Husten = stark\nFieber = 39\nSchnupfen = nein"),
            "Husten stark Fieber Schnupfen nein");
  EXPECT_EQ(Left("BP = 140/90 // trotz Ramipril immer hoch"),
            "trotz Ramipril immer hoch");
  EXPECT_EQ(Left("print(\"x\")\nIch habe Fieber\n- Husten, Schnupfen"),
            "Ich habe Fieber - Husten, Schnupfen");
  EXPECT_EQ(Left("{\"question\": \"Warum habe ich immer Kopfschmerzen\"}"),
            "\"Warum habe ich immer");
}

TEST(IsWordWithRemarkTest, RemarksAndCalls) {
  for (const char* remark :
       {"Fieber(39)", "Fieber(39),", "tos(seca).", "dolor(cabeza,", "(hoch);",
        "Tag);", "{Ich", "Fieber}.", "Husten[2]", "Fieber(38,5)", "Fieber("}) {
    EXPECT_TRUE(IsWordWithRemark(remark)) << remark;
  }
  for (const char* other :
       {"f(x)", "print(i)", "range(10):", "main()", "print(\"x\")", "a[i]",
        "word", "", "(", "x_y(z)", "get(x)", "mean(x)", "foo(bar)(baz)",
        "Fieber(\xC3\xA4)"}) {
    EXPECT_FALSE(IsWordWithRemark(other)) << other;
  }
}

TEST(BlankCodeTest, OtherScriptsAreNeverCode) {
  for (const char* text :
       {"что=это", "これは{何}ですか", "मेरा_नाम", "f（x）とは何ですか"}) {
    std::string blanked = text;
    BlankCode(&blanked);
    for (std::size_t i = 0; i < blanked.size(); ++i) {
      if (static_cast<unsigned char>(text[i]) >= 0x80) {
        EXPECT_EQ(blanked[i], text[i]) << text;
      }
    }
  }
}

TEST(BlankCodeTest, AnyBytesKeepTheLength) {
  for (const std::string& text :
       {std::string(), std::string(3, '\0'), std::string("\n\n"),
        std::string("\xE1"), std::string("\xE2\x80"), std::string("=\xFF="),
        std::string("\""), std::string("select"), std::string("select from"),
        std::string("$"), std::string("$ "), std::string("- "),
        std::string("a('"), std::string("{{{{"), std::string("}"),
        std::string(4097, '('), std::string(4097, '"')}) {
    std::string blanked = text;
    BlankCode(&blanked);
    BlankMarkup(&blanked);
    EXPECT_EQ(blanked.size(), text.size());
  }
  // Every pair and triple of the signs that the rules look for.
  const std::string signs = " \na\"'(){}[]=<>;:.,-#/_$@+\xE1\xC3";
  for (const char a : signs) {
    for (const char b : signs) {
      for (const char c : signs) {
        std::string text = {a, b, c};
        BlankCode(&text);
        BlankMarkup(&text);
        EXPECT_EQ(text.size(), 3u);
      }
    }
  }
}

TEST(BlankCodeTest, AMegabyteOfOneSign) {
  constexpr std::size_t kMegabyte = 1 << 20;
  for (const char* sign : {"$ ",  "> ",   "# ",      "$",
                           "(",   "a(",   "a(s)",    "{",
                           "{ ",  "{ } ", "\" ",     "='",
                           "= ",  "a = ", "select ", "select a from b ",
                           "\n",  "a:\n", "- ",      "Fieber(39) ",
                           "x_y "}) {
    std::string text;
    while (text.size() < kMegabyte) text += sign;
    const std::size_t size = text.size();
    BlankCode(&text);
    EXPECT_EQ(text.size(), size);
  }
}

TEST(BlankMarkupTest, LinesOfTagsWithFewWords) {
  const auto left = [](std::string text) {
    BlankMarkup(&text);
    return text.find_first_not_of(' ') == std::string::npos ? "" : text;
  };
  EXPECT_EQ(left("<ul><li>One</li><li>Two</li></ul>"), "");
  EXPECT_EQ(left("  <p class=\"x\">Some text</p>"), "");
  for (const char* kept :
       {"<p>Wie geht es dem Kind mit Fieber heute</p>", "<b>Warum?</b>",
        "<b>fièvre</b>", "a <b>bold</b> word", "<3 and >2", "<", "<>"}) {
    EXPECT_EQ(left(kept), kept);
  }
}

}  // namespace
}  // namespace apollo
