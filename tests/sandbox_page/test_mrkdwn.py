"""Rendering of text: each row has mrkdwn (or Markdown) and the HTML that the page builds for it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sandbox.slack import seed

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Attributes for appearance or accessibility only are dropped before comparing.
_NOISE = re.compile(r' (?:dir|class|tabindex|role|aria-[a-z]+|title|target|rel|data-[a-z-]+)="[^"]*"')

RENDER = """async ([module, name, text]) => {
  const imported = await import(module);
  const box = document.createElement("div");
  box.append(...imported[name](text));
  return box.innerHTML;
}"""

MRKDWN = [
    ("plain", "<p>plain</p>"),
    ("*bold* _italic_ ~struck~", "<p><strong>bold</strong> <em>italic</em> <s>struck</s></p>"),
    ("*bold with _italic_*", "<p><strong>bold with <em>italic</em></strong></p>"),
    ("2*3*4 snake_case_name a~b~c", "<p>2*3*4 snake_case_name a~b~c</p>"),
    ("* not bold * *nor\nthis*", None),
    ("`code *not bold*`", "<p><code>code *not bold*</code></p>"),
    ("`<!channel>` `<@U07JONAS002>`", "<p><code>&lt;!channel&gt;</code> <code>&lt;@U07JONAS002&gt;</code></p>"),
    ("```a\n  b <!here> *c*```", "<pre>a\n  b &lt;!here&gt; *c*</pre>"),
    ("before\n```\nx\n```\nafter", "<p>before</p><pre>x</pre><p>after</p>"),
    ("&gt; quoted\n&gt; more\nout", "<blockquote><p>quoted<br>more</p></blockquote><p>out</p>"),
    ("&gt;&gt;&gt;a\nb", "<blockquote><p>a<br>b</p></blockquote>"),
    (
        "• one\n• two",
        "<ul><li><span>•</span><span>one</span></li><li><span>•</span><span>two</span></li></ul>",
    ),
    (
        "1. one\n2. two",
        "<ul><li><span>1.</span><span>one</span></li><li><span>2.</span><span>two</span></li></ul>",
    ),
    ("<https://example.com/a?b=1&amp;c=2|label>", '<p><a href="https://example.com/a?b=1&amp;c=2">label</a></p>'),
    ("see https://example.com/x.", '<p>see <a href="https://example.com/x">https://example.com/x</a>.</p>'),
    ("<mailto:a@example.com|write>", '<p><a href="mailto:a@example.com">write</a></p>'),
    ("<javascript:alert(1)|click>", "<p>&lt;javascript:alert(1)|click&gt;</p>"),
    ("<@U07JONAS002>", "<p><span>@Jonas Weber</span></p>"),
    ("<@UNKNOWN99|guest>", "<p><span>@guest</span></p>"),
    ("<#C07OPSPOD01|old-name>", '<p><a href="?channel=C07OPSPOD01">#ops-agent-pod</a></p>'),
    ("<!here> <!channel>", "<p><span>@here</span> <span>@channel</span></p>"),
    ("<!subteam^S07ONCALL01|@oncall>", "<p><span>@oncall</span></p>"),
    ("<!date^nonsense^{date}|then>", "<p>&lt;!date^nonsense^{date}|then&gt;</p>"),
    ("<!date^1392734382^{no_such_token}|back then>", "<p>back then</p>"),
    (":white_check_mark: :no_such_one:", "<p><span>✅</span> :no_such_one:</p>"),
    ("10:30:45", "<p>10:30:45</p>"),
    ("&amp;amp; &lt;b&gt; &quot; &#39;", "<p>&amp;amp; &lt;b&gt; &amp;quot; &amp;#39;</p>"),
    ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
    ('<img src=x onerror="alert(1)">', '<p>&lt;img src=x onerror="alert(1)"&gt;</p>'),
    (
        '<https://x.example/"onmouseover="alert(1)|a>',
        '<p><a href="https://x.example/%22onmouseover=%22alert(1)">a</a></p>',
    ),
    ("```<script>alert(1)</script>```", "<pre>&lt;script&gt;alert(1)&lt;/script&gt;</pre>"),
    ("`unclosed *and", "<p>`unclosed *and</p>"),
    ("", ""),
]

MARKDOWN = [
    ("# Title\ntext **bold** *it*", "<p>Title</p><p>text <strong>bold</strong> <em>it</em></p>"),
    ("a | b\n--|--:\n1 | 2", None),
    ("~~gone~~ `x*y*`", "<p><s>gone</s> <code>x*y*</code></p>"),
    ("[l](https://example.com/)", '<p><a href="https://example.com/">l</a></p>'),
    ("[l](javascript:alert(1))", None),
    ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
    ("```sh\nrm <b>\n```", "<pre>rm &lt;b&gt;</pre>"),
    ("> quote", "<blockquote><p>quote</p></blockquote>"),
]


async def test_mrkdwn_becomes_what_slack_shows(open_page: Any) -> None:
    page = await open_page()
    wrong = []
    for text, wanted in MRKDWN:
        html = _NOISE.sub("", await page.evaluate(RENDER, ["./mrkdwn.js", "render", text]))
        if wanted is not None and html != wanted:
            wrong.append((text, html, wanted))
        if wanted is None and "<strong>" in html:
            wrong.append((text, html, "no bold"))
    assert wrong == []


async def test_markdown_blocks_become_headings_code_and_safe_links(open_page: Any) -> None:
    page = await open_page()
    wrong = []
    for text, wanted in MARKDOWN:
        html = _NOISE.sub("", await page.evaluate(RENDER, ["./markdown.js", "markdown", text]))
        if wanted is not None and html != wanted:
            wrong.append((text, html, wanted))
        if 'href="javascript' in html:
            wrong.append((text, html, "no such link"))
    assert wrong == []
    table = await page.evaluate(RENDER, ["./markdown.js", "markdown", "a | b\n--|--:\n1 | 2"])
    assert "<th" in table
    assert 'class="align-right"' in table


async def test_a_message_cannot_run_script_or_add_elements(open_page: Any, client: Any) -> None:
    page = await open_page()
    evil = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
    cell = {"type": "raw_text", "text": evil}
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": evil}},
        {"type": "header", "text": {"type": "plain_text", "text": evil}},
        {"type": "table", "rows": [[cell]]},
        {
            "type": "rich_text",
            "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": evil}]}],
        },
    ]
    sent = await client.chat_postMessage(channel=seed.OPS, text=evil, blocks=blocks)
    message = page.locator(f'[data-message-ts="{sent["ts"]}"]')
    await message.wait_for()
    assert (await message.inner_text()).count("window.hacked=1</script>") == 4
    assert await message.locator("script, img[src=x]").count() == 0
    assert await page.evaluate("window.hacked") is None
