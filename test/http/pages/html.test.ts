import { test } from 'tap';
import { html, trusted } from '../../../src/http/pages/html.ts';

test('What is put into a template is escaped, in text and in attributes; HTML stays HTML', (t) => {
  const evil = `<script>alert("1")</script>&'`;
  const escaped = '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;';
  t.equal(html`<p title="${evil}">${evil}</p>`.html, `<p title="${escaped}">${escaped}</p>`);
  t.equal(html`<ul>${['<', html`<b>${'>'}</b>`]}</ul>`.html, '<ul>&lt;<b>&gt;</b></ul>');
  t.equal(html`${undefined}${false}${0}${trusted('<i>')}`.html, '0<i>');
  t.end();
});
