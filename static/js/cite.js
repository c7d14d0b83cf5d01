/* [data-copy-from] buttons copy the text behind a link: the attribute is the link's id. */

for (const button of document.querySelectorAll("[data-copy-from]")) {
  const label = button.textContent;
  const link = document.getElementById(button.dataset.copyFrom);
  button.addEventListener("click", async () => {
    try {
      const answer = await fetch(link.href);
      if (!answer.ok) throw new Error(`the site answered ${answer.status}`);
      await navigator.clipboard.writeText(await answer.text());
      button.textContent = "Copied";
      setTimeout(() => {
        button.textContent = label;
      }, 2000);
    } catch {
      link.click(); // no clipboard (an insecure origin) or no answer: the link says which
    }
  });
}
