"""The paper's comparisons on rendered clips: methods × settings × clips, and what it claims."""
