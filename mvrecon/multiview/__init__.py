"""What several posed views say together: neighbours, depth seen from elsewhere, agreement."""
